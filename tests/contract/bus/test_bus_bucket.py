"""What every driver's buckets do."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.bus.buckets import FUNCTIONS
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.model.errors import Conflict
from faasioflex.model.function import FunctionRecord
from support.records import function_record


@pytest.fixture
def bucket(bus: Bus) -> Bucket[FunctionRecord]:
    return bus.bucket(FUNCTIONS.name, FunctionRecord)


async def test_an_empty_bucket_has_nothing_and_says_so(bucket: Bucket[FunctionRecord]) -> None:
    assert await bucket.list() == []
    assert await bucket.get("acme.hello") is None
    await bucket.delete("acme.hello")
    assert await bucket.list() == []


async def test_what_was_created_is_read_back_whole(bucket: Bucket[FunctionRecord]) -> None:
    record = function_record("acme", "hello", description="«ñandú» 🦤\u0000\n", env={"A": "ü", "B": ""})
    revision = await bucket.create("acme.hello", record)
    assert await bucket.get("acme.hello") == Entry("acme.hello", record, revision)


async def test_create_refuses_what_exists(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.create("acme.hello", function_record("acme", "hello"))
    with pytest.raises(Conflict):
        await bucket.create("acme.hello", function_record("acme", "hello"))
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert entry.revision == first


async def test_create_after_delete(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.create("acme.hello", function_record("acme", "hello", uid="one"))
    await bucket.delete("acme.hello", first)
    assert await bucket.get("acme.hello") is None
    second = await bucket.create("acme.hello", function_record("acme", "hello", uid="two"))
    assert second > first
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert entry.value.uid == "two"


async def test_update_needs_the_newest_revision(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.create("acme.hello", function_record("acme", "hello", uid="one"))
    second = await bucket.update("acme.hello", function_record("acme", "hello", uid="two"), first)
    with pytest.raises(Conflict):
        await bucket.update("acme.hello", function_record("acme", "hello", uid="three"), first)
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert (entry.value.uid, entry.revision) == ("two", second)


async def test_update_of_what_is_gone_conflicts(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.create("acme.hello", function_record("acme", "hello"))
    await bucket.delete("acme.hello")
    with pytest.raises(Conflict):
        await bucket.update("acme.hello", function_record("acme", "hello"), first)
    assert await bucket.get("acme.hello") is None


async def test_delete_with_an_old_revision_conflicts(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.create("acme.hello", function_record("acme", "hello"))
    second = await bucket.update("acme.hello", function_record("acme", "hello"), first)
    with pytest.raises(Conflict):
        await bucket.delete("acme.hello", first)
    await bucket.delete("acme.hello", second)
    await bucket.delete("acme.hello")
    with pytest.raises(Conflict):
        await bucket.delete("acme.hello", second)


async def test_one_of_many_concurrent_creates_wins(bucket: Bucket[FunctionRecord]) -> None:
    tries = (bucket.create("acme.hello", function_record("acme", "hello", uid=str(place))) for place in range(10))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 9


async def test_optimistic_updates_lose_nothing(bucket: Bucket[FunctionRecord]) -> None:
    await bucket.create("acme.hello", function_record("acme", "hello", latest=0))

    async def add_one() -> None:
        while True:
            entry = await bucket.get("acme.hello")
            assert entry is not None
            try:
                record = function_record("acme", "hello", latest=entry.value.latest + 1)
                await bucket.update("acme.hello", record, entry.revision)
            except Conflict:
                continue
            return

    await asyncio.gather(*(add_one() for _ in range(8)))
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert entry.value.latest == 8


async def test_put_writes_over_everything(bucket: Bucket[FunctionRecord]) -> None:
    first = await bucket.put("acme.hello", function_record("acme", "hello", uid="one"))
    second = await bucket.put("acme.hello", function_record("acme", "hello", uid="two"))
    await bucket.delete("acme.hello")
    third = await bucket.put("acme.hello", function_record("acme", "hello", uid="three"))
    assert first < second < third


async def test_list_is_sorted_and_filtered_by_prefix(bucket: Bucket[FunctionRecord]) -> None:
    for namespace, name in (("acme", "b"), ("acme", "a"), ("acme", "ab"), ("acmes", "a"), ("other", "a")):
        await bucket.put(f"{namespace}.{name}", function_record(namespace, name))
    await bucket.delete("acme.b")
    assert [entry.key for entry in await bucket.list()] == ["acme.a", "acme.ab", "acmes.a", "other.a"]
    assert [entry.key for entry in await bucket.list("acme.")] == ["acme.a", "acme.ab"]
    assert [entry.key for entry in await bucket.list("acme.a")] == ["acme.a", "acme.ab"]
    assert [entry.key for entry in await bucket.list("acme")] == ["acme.a", "acme.ab", "acmes.a"]
    assert await bucket.list("nobody.") == []


async def test_keys_are_listed_by_patterns_without_their_values(bucket: Bucket[FunctionRecord]) -> None:
    for namespace, name in (("acme", "b"), ("acme", "a"), ("other", "a"), ("other", "c")):
        await bucket.put(f"{namespace}.{name}", function_record(namespace, name))
    await bucket.delete("other.c")
    assert await bucket.keys() == ["acme.a", "acme.b", "other.a"]
    assert await bucket.keys("acme.*") == ["acme.a", "acme.b"]
    assert await bucket.keys("*.a") == ["acme.a", "other.a"]
    assert await bucket.keys("nobody.>") == []


async def test_a_large_value(bucket: Bucket[FunctionRecord]) -> None:
    record = function_record("acme", "hello", description="x" * 3_000_000)
    await bucket.create("acme.hello", record)
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert entry.value == record
    assert [held.value for held in await bucket.list()] == [record]


@pytest.mark.parametrize("key", ["", ".", "a..b", "a.*", "a.>", "a b", "a.b\n", ".a", "a.", "ñ"])
async def test_a_key_that_is_none_is_refused(bucket: Bucket[FunctionRecord], key: str) -> None:
    with pytest.raises(ValueError, match="not a bucket key"):
        await bucket.get(key)
    with pytest.raises(ValueError, match="not a bucket key"):
        await bucket.put(key, function_record("acme", "hello"))
