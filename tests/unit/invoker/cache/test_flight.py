"""One call that several wait for: what holds between two steps of the loop."""

from __future__ import annotations

import asyncio

from faasioflex.invoker.cache.flight import Flight
from faasioflex.invoker.cache.store import Store
from faasioflex.invoker.given import Given


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
