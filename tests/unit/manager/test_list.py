"""Pages of the list, cut out of sorted names: however functions come and go, and however names sort beside the dot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.functions.read import list_functions
from faasioflex.manager.functions.registry import Registry
from support.deadline import eventually
from support.records import function_record

KEYS = [f"{namespace}.{name}" for namespace in ("a", "a-b", "ab", "b") for name in ("f", "f-1", "f1", "g")]


async def pages(registry: Registry, namespace: str | None, limit: int) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = await list_functions(
            registry, namespace=namespace, labels={}, after=after, limit=limit, readable=lambda _: True
        )
        assert len(page.items) <= limit
        found += [seen.record.function.key for seen in page.items]
        if page.after is None:
            return found
        after = page.after


@settings(max_examples=30)
@given(
    there=st.sets(st.sampled_from(KEYS)),
    toggled=st.lists(st.sampled_from(KEYS), max_size=8),
    limit=st.integers(1, 5),
    namespace=st.sampled_from([None, "a", "a-b", "c"]),
)
async def test_all_of_them_once_and_in_order(
    there: set[str], toggled: list[str], limit: int, namespace: str | None
) -> None:
    registry = Registry(MemoryBus())
    for key in there:
        await registry.records.put(key, function_record(*key.split(".")))
    await registry.start()
    left = set(there)
    for key in toggled:
        if key in left:
            await registry.records.delete(key)
        else:
            await registry.records.put(key, function_record(*key.split(".")))
        left ^= {key}
    await eventually(lambda: set(registry.functions.entries) == left, "the mirror has it")
    expected = sorted(key for key in left if namespace is None or key.startswith(f"{namespace}."))
    assert await pages(registry, namespace, limit) == expected
    await registry.stop()
