"""Watches and mirrors of every driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from faasioflex.bus.buckets import FUNCTIONS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bucket, Bus, Change, Entry, Snapshot
from faasioflex.model.function import FunctionRecord
from support.deadline import eventually
from support.records import function_record

Item = Snapshot[FunctionRecord] | Change[FunctionRecord]


@pytest.fixture
def bucket(bus: Bus) -> Bucket[FunctionRecord]:
    return bus.bucket(FUNCTIONS.name, FunctionRecord)


async def following(items: AsyncIterator[Item]) -> Item:
    async with asyncio.timeout(10):
        return await anext(items)


async def test_a_watch_of_nothing_begins_with_an_empty_snapshot(bucket: Bucket[FunctionRecord]) -> None:
    async with bucket.watch() as items:
        assert await following(items) == Snapshot((), 0)
        revision = await bucket.create("acme.hello", function_record("acme", "hello"))
        assert await following(items) == Change("acme.hello", function_record("acme", "hello"), revision)


async def test_the_snapshot_holds_what_is_there_and_nothing_deleted(bucket: Bucket[FunctionRecord]) -> None:
    b = await bucket.create("acme.b", function_record("acme", "b"))
    a = await bucket.create("acme.a", function_record("acme", "a"))
    await bucket.create("acme.gone", function_record("acme", "gone"))
    await bucket.delete("acme.gone")
    async with bucket.watch() as items:
        snapshot = await following(items)
        assert snapshot == Snapshot(
            (Entry("acme.a", function_record("acme", "a"), a), Entry("acme.b", function_record("acme", "b"), b)), 4
        )


async def test_every_change_comes_once_and_in_order(bucket: Bucket[FunctionRecord]) -> None:
    async with bucket.watch() as items:
        await following(items)
        expected: list[tuple[str, int | None]] = []
        for place in range(50):
            await bucket.put(f"acme.f{place % 7}", function_record("acme", "f", latest=place))
            expected.append((f"acme.f{place % 7}", place))
            if place % 5 == 4:
                await bucket.delete(f"acme.f{place % 7}")
                expected.append((f"acme.f{place % 7}", None))
        got: list[tuple[str, int | None]] = []
        revisions: list[int] = []
        while len(got) < len(expected):
            item = await following(items)
            assert isinstance(item, Change)
            got.append((item.key, item.value.latest if item.value else None))
            revisions.append(item.revision)
        assert got == expected
        assert revisions == sorted(set(revisions))


async def test_several_watches_do_not_disturb_each_other(bucket: Bucket[FunctionRecord]) -> None:
    async with bucket.watch() as one, bucket.watch() as two:
        await following(one)
        await bucket.create("acme.a", function_record("acme", "a"))
        first_of_two = await following(two)
        assert isinstance(first_of_two, Snapshot)
        change = await following(one)
        assert change.revision == 1
        if not first_of_two.entries:  # the watch had begun before
            assert await following(two) == change


async def test_a_watch_can_be_left_in_the_middle(bucket: Bucket[FunctionRecord]) -> None:
    for place in range(20):
        await bucket.put(f"acme.f{place}", function_record("acme", "f"))
    async with bucket.watch() as items:
        async for _ in items:
            break
    task = asyncio.create_task(_watch_for_ever(bucket))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await bucket.list()) == 20


async def _watch_for_ever(bucket: Bucket[FunctionRecord]) -> None:
    async with bucket.watch() as items:
        async for _ in items:
            pass


async def test_a_mirror_follows_and_tells_its_listeners(bucket: Bucket[FunctionRecord]) -> None:
    await bucket.create("acme.old", function_record("acme", "old"))
    mirror = Mirror(bucket)
    heard: list[set[str]] = []
    unlisten = mirror.listen(heard.append)
    mirror.listen(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]  # one that fails harms nobody
    assert mirror.problem is not None
    await mirror.start()
    assert mirror.problem is None
    assert set(mirror.entries) == {"acme.old"}
    revision = await bucket.create("acme.new", function_record("acme", "new"))
    await eventually(lambda: mirror.revision == revision, "the mirror has the new record")
    assert mirror.entries["acme.new"] == Entry("acme.new", function_record("acme", "new"), revision)
    await bucket.delete("acme.old")
    await eventually(lambda: set(mirror.entries) == {"acme.new"}, "the mirror has the deletion")
    assert heard == [{"acme.old"}, {"acme.new"}, {"acme.old"}]
    unlisten()
    await bucket.delete("acme.new")
    await eventually(lambda: not mirror.entries, "the mirror is empty")
    assert len(heard) == 3
    await mirror.stop()


async def test_mirrors_of_one_bucket_share_their_copy(bus: Bus) -> None:
    records = [bus.bucket(FUNCTIONS.name, FunctionRecord) for _ in range(2)]
    await records[0].create("acme.old", function_record("acme", "old"))
    one, two = (Mirror(bucket) for bucket in records)
    heard: dict[str, list[set[str]]] = {"one": [], "two": []}
    one.listen(heard["one"].append)
    two.listen(heard["two"].append)
    await one.start()
    assert two.problem is not None
    await two.start()
    assert two.entries is one.entries
    assert heard == {"one": [{"acme.old"}], "two": [{"acme.old"}]}  # each is told everything once
    await one.stop()
    await records[1].delete("acme.old")
    await eventually(lambda: not two.entries, "who goes on is told")
    assert heard == {"one": [{"acme.old"}], "two": [{"acme.old"}, {"acme.old"}]}
    await two.stop()
    await records[0].create("acme.new", function_record("acme", "new"))
    await one.start()  # nobody followed meanwhile: everything is read anew
    assert set(one.entries) == {"acme.new"}
    await one.stop()


async def test_records_in_a_mirror_hold_what_they_have_in_common_once(bucket: Bucket[FunctionRecord]) -> None:
    for name in ("a", "b", "c"):
        await bucket.create(f"acme.{name}", function_record("acme", name, env={"NAME": name}))
    mirror = Mirror(bucket)
    await mirror.start()
    records = [entry.value for entry in mirror.entries.values()]
    assert records == [function_record("acme", name, env={"NAME": name}) for name in ("a", "b", "c")]
    for part in ("limits", "scaling", "network", "asynchronous"):
        assert len({id(getattr(record.spec, part)) for record in records}) == 1, part
    await mirror.stop()
