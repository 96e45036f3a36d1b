"""What feeds promise where something gets lost on the way, and to readers who are slow."""

from __future__ import annotations

import asyncio
import gc

import pytest
from nats.aio.msg import Msg

from faasioflex.bus.buckets import FUNCTIONS, LOGS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.nats import NatsBus
from faasioflex.bus.nats.feed import Feed, Record
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import FunctionRecord
from support.deadline import eventually
from support.records import function_record

from .conftest import Connect


@pytest.mark.parametrize("noticed", ["at the next message", "at the next heartbeat"])
async def test_a_message_that_is_dropped_in_this_process_is_fetched_again(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch, noticed: str
) -> None:
    """As nats-py does it when a buffer is full."""
    dropped: list[Msg] = []
    on_message = Feed.on_message

    async def drops_one(self: Feed, message: Msg) -> None:
        if not dropped and message.subject.endswith("acme.lost"):
            dropped.append(message)
            return
        await on_message(self, message)

    monkeypatch.setattr(Feed, "on_message", drops_one)
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    mirror = Mirror(functions)
    await mirror.start()
    await functions.put("acme.lost", function_record("acme", "lost"))
    if noticed == "at the next message":
        await functions.put("acme.next", function_record("acme", "next"))
    await eventually(lambda: "acme.lost" in mirror.entries, "the lost one came again", 20)
    assert dropped
    await mirror.stop()


async def test_a_slow_reader_holds_no_more_than_the_servers_window(bus: NatsBus) -> None:
    line = b"x" * 100_000
    for _ in range(60):
        await asyncio.gather(*(bus.append("ffx.log.acme.hello", line) for _ in range(10)))
    async with bus.read(LOGS.name, "ffx.log.acme.hello") as messages:
        first = await anext(messages)
        (feed,) = (found for found in gc.get_objects() if isinstance(found, Feed) and found._stream == LOGS.name)
        await eventually(lambda: feed._queue.qsize() > 1, "the server sends ahead")
        with pytest.raises(AssertionError):
            await eventually(lambda: _held(feed) > 40_000_000, "everything is held", 3)
        rest = [message async for message in messages]
    assert len(rest) == 599
    assert first.data == rest[-1].data == line


def _held(feed: Feed) -> int:
    return sum(len(item.data) for item in feed._queue._queue if isinstance(item, Record))  # type: ignore[attr-defined]


async def test_a_watch_of_a_closed_connection_ends(connect: Connect, bus: NatsBus) -> None:
    other = await connect()
    seen = asyncio.Event()

    async def watch() -> None:
        async with other.bucket(FUNCTIONS.name, FunctionRecord).watch() as items:
            async for _ in items:
                seen.set()

    task = asyncio.create_task(watch())
    await asyncio.wait_for(seen.wait(), 10)
    await other.close()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(task, 10)


async def test_nothing_is_left_behind_on_the_server(bus: NatsBus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for _ in range(20):
        await functions.list()
        async with functions.watch() as items:
            await anext(items)

    async def none_left() -> bool:
        info = await bus.jetstream.api("STREAM.INFO.KV_ffx_functions")
        return int(info["state"]["consumer_count"]) == 0

    async with asyncio.timeout(3):  # sooner than the server forgets them by itself
        while not await none_left():
            await asyncio.sleep(0.01)
