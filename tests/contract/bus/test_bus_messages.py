"""Publish, request, subscribe and objects, of every driver."""

from __future__ import annotations

import asyncio
import os

import pytest

from faasioflex.bus.port import Bus
from faasioflex.model.errors import DeadlineExceeded, Unavailable
from support.deadline import eventually


async def test_everybody_who_listens_gets_a_message(bus: Bus) -> None:
    got: list[tuple[str, str, bytes]] = []

    def listener(name: str):  # type: ignore[no-untyped-def]
        async def handle(subject: str, data: bytes) -> None:
            got.append((name, subject, data))

        return handle

    stop = await bus.subscribe("ffx.load", listener("a"))
    await bus.subscribe("ffx.*", listener("b"))
    await bus.publish("ffx.load", b"1")
    await eventually(lambda: len(got) == 2, "both have it")
    assert sorted(got) == [("a", "ffx.load", b"1"), ("b", "ffx.load", b"1")]
    await stop()
    await bus.publish("ffx.load", b"2")
    await eventually(lambda: len(got) == 3, "the other one has it")
    assert got[2] == ("b", "ffx.load", b"2")


async def test_one_of_a_queue_group_gets_a_message(bus: Bus) -> None:
    counts = {"a": 0, "b": 0}

    async def a(subject: str, data: bytes) -> bytes:
        counts["a"] += 1
        return b"a"

    async def b(subject: str, data: bytes) -> bytes:
        counts["b"] += 1
        return b"b"

    await bus.subscribe("ffx.wake", a, queue="managers")
    await bus.subscribe("ffx.wake", b, queue="managers")
    answers = [await bus.request("ffx.wake", b"", 5) for _ in range(60)]
    assert counts["a"] + counts["b"] == 60
    assert min(counts.values()) > 0
    assert answers.count(b"a") == counts["a"]


async def test_requests_are_handled_at_the_same_time(bus: Bus) -> None:
    together = asyncio.Barrier(5)

    async def handle(subject: str, data: bytes) -> bytes:
        await together.wait()
        return data * 2

    await bus.subscribe("ffx.call.acme.*", handle)
    answers = await asyncio.gather(*(bus.request("ffx.call.acme.hello", b"%d" % place, 5) for place in range(5)))
    assert answers == [b"00", b"11", b"22", b"33", b"44"]


async def test_nobody_answers(bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.request("ffx.wake", b"", 5)


async def test_an_answer_that_comes_too_late(bus: Bus) -> None:
    never = asyncio.Event()

    async def handle(subject: str, data: bytes) -> bytes:
        await never.wait()
        return b""

    await bus.subscribe("ffx.wake", handle)
    with pytest.raises(DeadlineExceeded):
        await bus.request("ffx.wake", b"", 0.05)


async def test_a_handler_that_fails_does_not_end_the_subscription(bus: Bus) -> None:
    async def handle(subject: str, data: bytes) -> bytes:
        if data == b"bad":
            raise ValueError("no")
        return b"ok"

    await bus.subscribe("ffx.wake", handle)
    with pytest.raises(DeadlineExceeded):
        await bus.request("ffx.wake", b"bad", 0.05)
    assert await bus.request("ffx.wake", b"good", 5) == b"ok"


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 1024 * 1024 + 1, 5_000_000])
async def test_an_object_comes_back_whole(bus: Bus, size: int) -> None:
    store, data = bus.objects("ffx_code"), os.urandom(size)
    assert await store.get("sha") is None
    assert await store.names() == []
    await store.put("sha", data)
    assert await store.get("sha") == data
    assert await store.names() == ["sha"]


async def test_putting_the_same_name_again_changes_nothing(bus: Bus) -> None:
    store = bus.objects("ffx_code")
    await store.put("b", b"one")
    await store.put("b", b"two")
    await store.put("a", b"three")
    assert await store.get("b") == b"one"
    assert await store.names() == ["a", "b"]
    await store.delete("b")
    await store.delete("b")
    assert await store.get("b") is None
    assert await store.names() == ["a"]
    await store.put("b", b"four")
    assert await store.get("b") == b"four"


async def test_many_writers_of_one_object(bus: Bus) -> None:
    store, data = bus.objects("ffx_code"), os.urandom(2_500_000)
    await asyncio.gather(*(store.put("sha", data) for _ in range(4)))
    assert await store.get("sha") == data
    assert await store.names() == ["sha"]
