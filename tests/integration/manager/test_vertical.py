"""Limits of running instances follow their use, within what the function and the node have."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from faasioflex.manager.vertical import loop
from faasioflex.model.function import MIB, Limits, Scaling
from faasioflex.model.instance import InstanceSpec

from .conftest import SPEC, World

LIMITS = Limits(memory_bytes=100 * MIB, cpu=0.5, max_memory_bytes=400 * MIB, max_cpu=2.0)
GROWING = replace(SPEC, limits=LIMITS, scaling=Scaling(idle_s=1e6))


@pytest.fixture
async def growing(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(loop, "EVERY_S", 0.01)
    await world.register(GROWING)
    await world.until(lambda: world.state(1) == "ready")
    return world


def use(world: World, mib: int, cpu_s: float = 0.0) -> str:
    only = world.live(1)[0]
    world.driver.used[only] = mib * MIB, cpu_s
    return only


def memory(world: World) -> int:
    return world.driver.instances[world.live(1)[0]].memory_bytes // MIB


async def test_memory_grows_while_it_is_near_its_limit_and_not_beyond_the_most(growing: World) -> None:
    use(growing, 96)
    await growing.until(lambda: memory(growing) == 150, "at once")
    use(growing, 390)
    await growing.until(lambda: memory(growing) == 400)
    assert len(growing.driver.started) == 1
    events = await growing.events("instance.resized")
    assert [(one["from_memory_bytes"] // MIB, one["memory_bytes"] // MIB) for one in events] == [(100, 150), (150, 400)]
    assert any("memory limit raised from 100 MiB to 150 MiB" in line for line in growing.lines())


async def test_cpu_grows_while_it_is_held_back(growing: World) -> None:
    for second in range(8):
        only = use(growing, 10, second * 0.5)
        looks = growing.driver.looked
        await growing.until(lambda: growing.driver.looked > looks + 1)  # noqa: B023
        growing.now += 1
        if growing.driver.instances[only].cpu > 0.5:
            break
    await growing.until(lambda: growing.driver.instances[growing.live(1)[0]].cpu == 0.75)
    assert memory(growing) == 100


async def test_the_node_s_memory_bounds_it(growing: World) -> None:
    await growing.stop_manager()
    growing.options = {"memory_budget_bytes": 130 * MIB}
    await growing.start_manager()
    use(growing, 96)
    await growing.until(lambda: any("not raised" in line for line in growing.lines()), "the log says it")
    assert memory(growing) == 100


async def test_nobody_starts_with_memory_that_is_just_being_given(
    growing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await growing.stop_manager()
    growing.options = {"memory_budget_bytes": 200 * MIB}
    await growing.start_manager()
    asked, answer, resize = asyncio.Event(), asyncio.Event(), growing.driver.resize

    async def slowly(instance: str, memory_bytes: int, cpu: float) -> None:
        asked.set()
        await answer.wait()
        await resize(instance, memory_bytes, cpu)

    monkeypatch.setattr(growing.driver, "resize", slowly)
    use(growing, 96)
    await asyncio.wait_for(asked.wait(), 10)
    await growing.copy("acme.other", "u2", limits=Limits(memory_bytes=100 * MIB))

    def says() -> str:
        entry = growing.statuses.entries.get("acme.other")
        return (entry.value.revisions[1].message if entry else None) or ""

    await growing.until(lambda: "is in use" in says(), "the other one waits")
    answer.set()
    await growing.until(lambda: memory(growing) == 150)
    assert not growing.live_of("acme.other")


async def test_an_end_for_want_of_memory_gives_the_next_start_more(growing: World) -> None:
    for mib in (200, 400, 400):
        first = growing.live(1)[0]
        growing.driver.end(first, "out-of-memory", "used more than its memory")
        await growing.until(lambda: bool(growing.live(1)) and growing.live(1) != [first])  # noqa: B023
        assert memory(growing) == mib
    assert any("out of memory at 100 MiB: the next start gets 200 MiB" in line for line in growing.lines())


async def test_a_first_start_that_needs_more_is_no_failure(world: World) -> None:
    def script(spec: InstanceSpec) -> bool | str:
        return spec.limits.memory_bytes >= 400 * MIB

    world.driver.script = script
    await world.register(GROWING)
    for count in (1, 2):
        await world.until(lambda: len(world.driver.started) == count)  # noqa: B023
        world.driver.end(world.driver.started[-1].id, "out-of-memory", "used more than its memory")
    await world.until(lambda: world.state(1) == "ready")
    assert [spec.limits.memory_bytes // MIB for spec in world.driver.started] == [100, 200, 400]


async def test_without_a_most_nothing_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY_S", 0.01)
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    first = use(world, 127)
    await world.rest(3)
    assert not world.driver.resized
    world.driver.end(first, "out-of-memory", "used more than its memory")
    await world.until(lambda: bool(world.live(1)) and world.live(1) != [first])
    assert memory(world) == 128


async def test_the_next_manager_goes_on_from_the_limits_that_it_finds(growing: World) -> None:
    use(growing, 96)
    await growing.until(lambda: memory(growing) == 150)
    await growing.stop_manager()
    await growing.start_manager()
    use(growing, 145)
    await growing.until(lambda: memory(growing) == 225, "one and a half times what it found")


async def test_a_machine_that_cannot_says_so_once(growing: World) -> None:
    growing.driver.fixed = "no control group here"
    use(growing, 96)
    await growing.until(lambda: any("no control group" in line for line in growing.lines()), "the log says it")
    await growing.rest(3)
    assert sum("no control group" in line for line in growing.lines()) == 1
    assert memory(growing) == 100
