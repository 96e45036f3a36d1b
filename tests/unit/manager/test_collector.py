"""The collector: what is referred to stays, what is not goes after two passes, and nothing is looked at while nothing changes."""

from __future__ import annotations

from faasioflex.bus.buckets import CODE_OBJECTS, FUNCTIONS, REVISIONS
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.collect import ALL_THE_SAME, SETTLED, YOUNG_S, Collector
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, RevisionRecord
from support.deadline import awaited, eventually
from support.memory_builder import MemoryBuilder
from support.records import function_record

NOW = 1_800_000_000.0


def revision(code: str, created_at: float = 0.0) -> RevisionRecord:
    spec = FunctionSpec("acme", "hello", "python")
    return RevisionRecord.of(
        spec, 1, CodeSource(code, 1), function_uid="uid-1", rollout="all", created_at=created_at, created_by="ann"
    )


async def test_only_what_nothing_refers_to_goes() -> None:
    bus = MemoryBus()
    records, objects = bus.bucket(REVISIONS.name, RevisionRecord), bus.objects(CODE_OBJECTS)
    await bus.bucket(FUNCTIONS.name, FunctionRecord).create("acme.hello", function_record("acme", "hello"))
    await records.create("acme.hello.1-abc", revision("used"))
    await records.create("acme.hello.2-old", revision("left"))
    await records.create("acme.hello.2-new", revision("young", NOW - YOUNG_S / 2))
    for name in ("used", "left", "young", "nobody"):
        await objects.put(name, b"code")
    collector = Collector(bus, MemoryBuilder(), lambda: NOW)
    await collector.start()
    await collector.collect()
    assert [entry.key for entry in await records.list()] == ["acme.hello.1-abc", "acme.hello.2-new"]
    assert set(await objects.names()) == {"used", "left", "young", "nobody"}  # two passes must agree

    async def settled() -> bool:
        await collector.collect()
        return set(await objects.names()) == {"used", "young"}

    await awaited(settled, "later passes removed what nothing refers to")
    await collector.stop()


async def test_nothing_is_looked_at_while_nothing_changes() -> None:
    bus = MemoryBus()
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    await functions.create("acme.hello", function_record("acme", "hello"))
    collector = Collector(bus, MemoryBuilder(), lambda: NOW)
    await collector.start()
    passes = [collector.due() for _ in range(ALL_THE_SAME + 1)]
    assert passes == [True] * SETTLED + [False] * (ALL_THE_SAME - SETTLED) + [True]  # once in a while all the same
    await functions.put("acme.hello", function_record("acme", "hello", latest=2))
    await eventually(collector.due, "a change is a reason to look")
    await collector.stop()
