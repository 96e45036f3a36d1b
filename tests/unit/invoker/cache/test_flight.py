"""One call that several wait for: what holds between two steps of the loop."""

from __future__ import annotations

import asyncio

from faasioflex.invoker.cache.flight import Flight
from faasioflex.invoker.cache.rules import Terms
from faasioflex.invoker.cache.store import Store
from faasioflex.invoker.given import Given
from faasioflex.invoker.http1.framing import Chunked, Framing
from faasioflex.invoker.http1.head import ResponseHead


async def test_nobody_joins_a_call_that_the_last_one_has_left() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def open() -> Given:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    def end(_: Flight, body: bytes | None) -> None:
        assert body is None
        ended.set()

    made = Flight(open=open, judge=lambda _: None, end=end, store=Store(1000), most_bytes=1000, fields=[])
    first, second = made.lead(), made.join()
    await begun.wait()
    made.leave(first)
    assert made.joinable
    made.leave(second)
    assert not made.joinable
    await asyncio.wait_for(ended.wait(), 10)


class Endless:
    """An answer of which there is always more."""

    head = ResponseHead(200, b"OK", [], 1)
    framing: Framing = Chunked()
    revision, start_ms = 1, None
    ready, done = True, False

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def chunk(self) -> bytes:
        await asyncio.sleep(0)
        return b"x" * 100

    def close(self) -> None:
        self.closed.set()


async def test_what_is_too_large_to_keep_does_not_go_on_for_nobody() -> None:
    answer = Endless()

    async def open() -> Given:
        return answer

    bodies: list[bytes | None] = []
    store = Store(1000)
    made = Flight(
        open=open,
        judge=lambda _: Terms(60.0, 0.0, ()),
        end=lambda _, body: bodies.append(body),
        store=store,
        most_bytes=1000,
        fields=[],
        for_later=True,
    )
    await asyncio.wait_for(answer.closed.wait(), 10)
    await made.settled()
    assert (bodies, store.used_bytes, made.keeping) == ([None], 0, False)
