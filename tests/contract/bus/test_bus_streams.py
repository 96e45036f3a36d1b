"""Streams and the history of buckets, of every driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from faasioflex.bus.buckets import EVENTS, FUNCTIONS, LOGS
from faasioflex.bus.port import Bus, StreamMessage
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import FunctionRecord
from support.records import function_record

T = TypeVar("T")


async def following(items: AsyncIterator[T]) -> T:
    async with asyncio.timeout(10):
        return await anext(items)


async def lines(
    bus: Bus, subject: str, *, since: float | None = None, last: int | None = None, stream: str = LOGS.name
) -> list[str]:
    async with bus.read(stream, subject, since=since, last=last) as messages:
        return [message.data.decode() async for message in messages]


async def test_an_empty_stream_ends_at_once(bus: Bus) -> None:
    assert await lines(bus, "ffx.log.acme.hello") == []
    assert await lines(bus, "ffx.log.acme.hello", last=10) == []
    assert await lines(bus, "ffx.log.acme.hello", since=1.0) == []


async def test_messages_come_in_order_and_of_their_subject_only(bus: Bus) -> None:
    for place in range(300):
        await bus.append("ffx.log.acme.hello" if place % 3 else "ffx.log.acme.other", str(place).encode())
    assert await lines(bus, "ffx.log.acme.hello") == [str(place) for place in range(300) if place % 3]
    assert await lines(bus, "ffx.log.acme.*") == [str(place) for place in range(300)]
    assert await lines(bus, "ffx.log.nobody.>") == []


@pytest.mark.parametrize("last", [0, 1, 7, 100, 199, 200, 5000])
async def test_the_last_few(bus: Bus, last: int) -> None:
    for place in range(400):
        await bus.append("ffx.log.acme.hello" if place % 2 else "ffx.log.acme.other", str(place).encode())
    mine = [str(place) for place in range(400) if place % 2]
    assert await lines(bus, "ffx.log.acme.hello", last=last) == mine[max(200 - last, 0) :]
    everything = [str(place) for place in range(400)]
    assert await lines(bus, "ffx.log.>", last=last) == everything[max(400 - last, 0) :]


async def test_since_a_moment(bus: Bus) -> None:
    for place in range(20):
        await bus.append("ffx.log.acme.hello", str(place).encode())
        await asyncio.sleep(0.002)
    async with bus.read(LOGS.name, "ffx.log.acme.hello") as messages:
        times = [message.time async for message in messages]
    assert times == sorted(times)
    assert await lines(bus, "ffx.log.acme.hello", since=times[12]) == [str(place) for place in range(12, 20)]
    assert await lines(bus, "ffx.log.acme.hello", since=times[12], last=3) == ["17", "18", "19"]
    assert await lines(bus, "ffx.log.acme.hello", since=times[18], last=10) == ["18", "19"]
    assert await lines(bus, "ffx.log.acme.hello", since=times[19] + 100) == []


async def test_follow_goes_on_with_what_comes(bus: Bus) -> None:
    await bus.append("ffx.log.acme.hello", b"old")
    async with bus.read(LOGS.name, "ffx.log.acme.hello", follow=True) as messages:
        assert (await following(messages)).data == b"old"
        await bus.append("ffx.log.acme.other", b"not mine")
        sequence = await bus.append("ffx.log.acme.hello", b"new")
        message = await following(messages)
        assert isinstance(message, StreamMessage)
        assert (message.subject, message.data, message.sequence) == ("ffx.log.acme.hello", b"new", sequence)


@pytest.mark.parametrize("last", [0, 1])
async def test_follow_from_the_last_few(bus: Bus, last: int) -> None:
    await bus.append("ffx.log.acme.hello", b"one")
    await bus.append("ffx.log.acme.hello", b"two")
    got: list[bytes] = []
    async with bus.read(LOGS.name, "ffx.log.acme.hello", last=last, follow=True) as messages:

        async def take() -> None:
            async for message in messages:
                got.append(message.data)
                if message.data == b"end":
                    return

        task = asyncio.create_task(take())
        async with asyncio.timeout(10):
            # What is stored before the first is asked for counts as old: so the end is said until it is heard.
            while not task.done():
                if got or last == 0:
                    await bus.append("ffx.log.acme.hello", b"end")
                await asyncio.wait({task}, timeout=0.05)
            await task
    assert got == [b"two", b"end"][1 - last :]


async def test_a_message_id_counts_once(bus: Bus) -> None:
    first = await bus.append("ffx.event.function.updated.acme.hello", b"one", message_id="id-1")
    again = await bus.append("ffx.event.function.updated.acme.hello", b"one", message_id="id-1")
    await bus.append("ffx.event.function.updated.acme.hello", b"two", message_id="id-2")
    assert again == first
    assert await lines(bus, "ffx.event.>", stream=EVENTS.name) == ["one", "two"]


async def test_appending_where_no_stream_is_fails(bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.append("elsewhere.at.all", b"")


async def test_the_history_of_a_bucket_has_every_write(bus: Bus) -> None:
    bucket = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for latest in range(1, 6):
        await bucket.put("acme.hello", function_record("acme", "hello", latest=latest))
    await bucket.delete("acme.hello")
    async with bus.changes(FUNCTIONS.name, "reader") as writes:
        seen = [await following(writes) for _ in range(6)]
    assert [write.revision for write in seen] == [1, 2, 3, 4, 5, 6]
    assert [write.data is None for write in seen] == [False] * 5 + [True]
    assert {(write.bucket, write.key) for write in seen} == {(FUNCTIONS.name, "acme.hello")}
    assert [write.time for write in seen] == sorted(write.time for write in seen)


async def test_a_reader_goes_on_where_it_stopped(bus: Bus) -> None:
    bucket = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for latest in range(1, 4):
        await bucket.put("acme.hello", function_record("acme", "hello", latest=latest))
    async with bus.changes(FUNCTIONS.name, "one") as writes:
        assert (await following(writes)).revision == 1
        assert (await following(writes)).revision == 2  # asking for it says that the first was handled
    async with bus.changes(FUNCTIONS.name, "one") as writes:
        assert (await following(writes)).revision == 2  # in doubt: it comes again
        assert (await following(writes)).revision == 3
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(writes)
    async with bus.changes(FUNCTIONS.name, "two") as writes:
        assert (await following(writes)).revision == 1
    await bucket.put("acme.hello", function_record("acme", "hello", latest=4))
    async with bus.changes(FUNCTIONS.name, "one") as writes:
        assert (await following(writes)).revision == 4
