"""What the queue needs of a bus, of every driver: headers, heads, single messages, streams that refuse, keys and leases that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faasioflex.bus.buckets import CALLS, IDEMPOTENCY, LEASES
from faasioflex.bus.lease import Lease
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.bus.port import Bucket, Bus, CaughtUp, MessageHead
from faasioflex.model.errors import Conflict, TooManyCalls
from faasioflex.model.queue import LeaseRecord, Repeatable
from support.deadline import awaited, eventually

SUBJECT = "ffx.queue.acme.hello.1"
VALUE = Repeatable("acme/hello", 1.0, stored=True)


async def heads(items: AsyncIterator[MessageHead | CaughtUp], count: int) -> list[MessageHead | CaughtUp]:
    async with asyncio.timeout(10):
        return [await anext(items) for _ in range(count)]


async def test_a_message_is_read_with_its_headers(bus: Bus) -> None:
    sequence = await bus.append(SUBJECT, b"\x00data", headers={"Ffx-Call": "1 a"})
    found = await bus.message(CALLS.name, sequence)
    assert found is not None
    assert (found.subject, found.data, found.sequence) == (SUBJECT, b"\x00data", sequence)
    assert found.headers["Ffx-Call"] == "1 a"
    assert await bus.message(CALLS.name, sequence + 1) is None


async def test_heads_come_without_their_data_then_it_is_said_that_all_were_there_then_what_follows(bus: Bus) -> None:
    first = await bus.append(SUBJECT, b"x" * 1000, headers={"Ffx-Call": "first"})
    async with bus.heads(CALLS.name, "ffx.queue.>") as items:
        head, end = await heads(items, 2)
        assert isinstance(head, MessageHead)
        assert (head.subject, head.sequence, head.size) == (SUBJECT, first, 1000)
        assert head.headers["Ffx-Call"] == "first"
        assert isinstance(end, CaughtUp)
        await bus.append("ffx.queue.acme.other.2", b"")
        (following,) = await heads(items, 1)
        assert isinstance(following, MessageHead)
        assert (following.subject, following.size) == ("ffx.queue.acme.other.2", 0)


async def test_heads_behind_a_sequence_and_the_newest_one_also_where_it_is_gone(bus: Bus) -> None:
    assert await bus.last_sequence(CALLS.name) == 0
    first, second, third = [await bus.append(SUBJECT, b"") for _ in range(3)]
    await bus.remove(CALLS.name, [third])
    assert await bus.last_sequence(CALLS.name) == third
    async with bus.heads(CALLS.name, "ffx.queue.>", after=first) as items:
        head, end = await heads(items, 2)
        assert isinstance(head, MessageHead)
        assert (head.sequence, end) == (second, CaughtUp())
    async with bus.heads(CALLS.name, "ffx.queue.>", after=second) as items:
        assert await heads(items, 1) == [CaughtUp()]


async def test_an_empty_stream_has_been_read_at_once(bus: Bus) -> None:
    async with bus.heads(CALLS.name, "ffx.queue.>") as items:
        assert await heads(items, 1) == [CaughtUp()]


async def test_messages_are_taken_out_one_by_one_whether_or_not_they_are_there(bus: Bus) -> None:
    sequences = [await bus.append(SUBJECT, str(place).encode()) for place in range(600)]
    await bus.remove(CALLS.name, [*sequences[::2], 10_000])
    await bus.remove(CALLS.name, [])
    await bus.remove(CALLS.name, sequences[:1])
    left = [sequence for sequence in sequences if await bus.message(CALLS.name, sequence) is not None]
    assert left == sequences[1::2]


async def test_those_begun_together_are_stored_in_the_order_in_which_they_were_begun(bus: Bus) -> None:
    sequences = await asyncio.gather(*(bus.append(SUBJECT, str(place).encode()) for place in range(300)))
    assert sequences == sorted(sequences)


async def bounded(bus: Bus, messages: int) -> None:
    plan = replace(CALLS, max_messages=messages)
    if isinstance(bus, NatsBus):
        await setup.ensure(bus, calls=plan)
    else:
        assert isinstance(bus, MemoryBus)
        bus._streams[CALLS.name].plan = plan


async def test_a_full_stream_refuses_and_keeps_what_it_has(bus: Bus) -> None:
    await bounded(bus, 2)
    first, second = [await bus.append(SUBJECT, b"") for _ in range(2)]
    with pytest.raises(TooManyCalls):
        await bus.append(SUBJECT, b"")
    assert await bus.message(CALLS.name, first) is not None
    await bus.remove(CALLS.name, [second])
    assert await bus.append(SUBJECT, b"") > second


async def test_a_key_ends_when_its_time_is_over_and_may_be_made_again(bus: Bus) -> None:
    bucket = bus.bucket(IDEMPOTENCY.name, Repeatable)
    await bucket.create("a", VALUE, ttl_s=1.0)
    await bucket.create("b", VALUE)
    with pytest.raises(Conflict):
        await bucket.create("a", VALUE, ttl_s=1.0)

    async def gone() -> bool:
        return await bucket.get("a") is None

    await awaited(gone, "a is gone")
    assert await bucket.get("b") is not None
    await bucket.create("a", VALUE, ttl_s=60.0)


async def test_a_write_without_an_end_has_none_whatever_it_had_before(bus: Bus) -> None:
    bucket = bus.bucket(IDEMPOTENCY.name, Repeatable)
    await bucket.create("short", VALUE, ttl_s=1.0)
    revision = await bucket.create("long", VALUE, ttl_s=1.0)
    await bucket.update("long", VALUE, revision)

    async def gone() -> bool:
        return await bucket.get("short") is None

    await awaited(gone, "short is gone")
    assert await bucket.get("long") is not None


def lease(bus: Bus, member: str) -> Lease:
    bucket: Bucket[LeaseRecord] = bus.bucket(LEASES.name, LeaseRecord)
    return Lease(bucket, "queue", member, ttl_s=2.0, renew_s=0.1)


async def taken(one: Lease) -> asyncio.Task[None]:
    async with asyncio.timeout(10):
        await one.acquire()
    assert one.sure
    return asyncio.create_task(one.keep())


async def test_one_has_the_lease_until_it_lets_go(bus: Bus) -> None:
    first, second = lease(bus, "one"), lease(bus, "two")
    keeping = await taken(first)
    waiting = asyncio.create_task(second.acquire())
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    assert not second.sure
    keeping.cancel()
    await first.release()
    async with asyncio.timeout(10):
        await waiting
    assert (first.sure, second.sure) == (False, True)


async def test_a_lease_whose_holder_is_gone_ends(bus: Bus) -> None:
    gone, second = lease(bus, "one"), lease(bus, "two")
    await gone.acquire()  # and never renews it
    async with asyncio.timeout(10):
        await second.acquire()
    assert second.sure
    await eventually(lambda: not gone.sure, "the first one knows that somebody else may have it")


async def test_a_member_takes_its_own_lease_back_at_once_and_who_had_it_before_hears_of_it(bus: Bus) -> None:
    before, after = lease(bus, "one"), lease(bus, "one")
    keeping = await taken(before)
    again = await taken(after)
    async with asyncio.timeout(10):
        await keeping
    assert (before.sure, after.sure) == (False, True)
    again.cancel()
