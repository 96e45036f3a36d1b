"""Things that happen while another is under way: the manager neither loses nor repeats what it does."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.manager import draining, lifecycle, observer
from faasioflex.model.errors import Invalid
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import BuiltCode, Instance, InstanceSpec

from .conftest import KEY, World


async def _serving(world: World) -> str:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    return world.live(1)[0]


async def _idle(world: World) -> None:
    await _serving(world)
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle" and not world.driver.instances)
    world.now += 1


async def _events(world: World, verb: str) -> int:
    async with world.bus.read("FFX_EVENTS", f"ffx.event.instance.{verb}.>") as messages:
        return len([message async for message in messages])


def _tasks(world: World) -> int:
    assert world.manager
    return len(world.manager._lifecycle._tasks)


async def test_an_instance_that_ends_while_its_drain_waits_leaves_no_task_behind(world: World) -> None:
    old = await _serving(world)
    world.acknowledge = False
    await world.update(env={"A": "2"})
    await world.until(lambda: bool(world.live(2)))
    world.driver.end(old, "killed", "ended by signal 9")
    await world.until(lambda: old not in world.live(1))
    world.acknowledge = True
    await world.until(lambda: world.state(2) == "ready")
    await world.until(lambda: _tasks(world) == 0)
    assert old not in [instance for instance, _ in world.driver.graces]
    assert await _events(world, "stopped") + await _events(world, "crashed") == 1


async def test_no_task_stays_with_a_running_instance_or_after_it(world: World) -> None:
    await _serving(world)
    await world.until(lambda: _tasks(world) == 0, "the watch of the start is over")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle" and _tasks(world) == 0)


async def test_another_function_under_the_name_of_one_that_drains(world: World) -> None:
    old = await _serving(world)
    world.acknowledge = False
    await world.update(env={"A": "2"})
    await world.until(lambda: bool(world.live(2)))
    await world.edit(uid="u2", rollouts=(2,))
    await world.until(lambda: world.route is not None and world.route.function_uid == "u2")
    world.acknowledge = True
    await world.until(lambda: world.state(2) == "ready")
    assert old not in world.driver.instances
    await world.until(lambda: _tasks(world) == 0)


async def test_waiting_calls_of_a_function_that_is_deleted_are_told_at_once(world: World) -> None:
    await _idle(world)
    world.driver.script = lambda spec: False
    count = len(world.driver.started)
    waking = asyncio.create_task(world.wake())
    await world.until(lambda: len(world.driver.started) == count + 1)
    await world.edit(change="deleting")
    assert (await asyncio.wait_for(waking, 5)).code == "function-not-found"


async def test_waiting_calls_are_told_when_the_manager_stops(world: World) -> None:
    await _idle(world)
    world.driver.script = lambda spec: False
    count = len(world.driver.started)
    waking = asyncio.create_task(world.wake())
    await world.until(lambda: len(world.driver.started) == count + 1)
    await world.stop_manager()
    assert (await asyncio.wait_for(waking, 5)).code == "unavailable"


async def test_an_instance_on_its_way_out_answers_no_wake(world: World) -> None:
    await _idle(world)
    world.driver.script = lambda spec: False
    count = len(world.driver.started)
    waking = asyncio.create_task(world.wake())
    await world.until(lambda: len(world.driver.started) == count + 1)
    assert world.manager
    first = world.driver.started[-1].id
    state = world.manager._lifecycle.tracked[first]
    world.driver.stops.clear()
    world.manager._lifecycle.drain(state, state.instances[first])
    world.manager._reconciler.touch(KEY)
    world.driver.ready(first)
    await world.until(lambda: len(world.driver.started) == count + 2)
    world.driver.ready(world.driver.started[-1].id)
    assert (await waking).instance == world.driver.started[-1].id
    world.driver.stops.set()


async def test_a_build_that_was_cleaned_away_is_made_again(world: World) -> None:
    await _idle(world)
    world.builder.done.clear()
    assert (await world.wake()).address is not None
    assert world.builder.builds == [1, 1]


async def test_a_build_that_breaks_off_says_so_and_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "BROKEN_RETRY_S", 0.5)
    build = world.builder.build
    full = True

    async def on_a_full_disk(record: RevisionRecord, on_line: object) -> BuiltCode:
        if full:
            raise OSError(28, "No space left on device")
        return await build(record, on_line)  # type: ignore[arg-type]

    monkeypatch.setattr(world.builder, "build", on_a_full_disk)
    await world.register()
    await world.until(lambda: "No space left" in str(world.status))
    assert world.state(1) == "building"
    full = False
    world.now += 1
    await world.until(lambda: world.state(1) == "ready")


async def test_an_answer_older_than_an_end_brings_nothing_back(world: World) -> None:
    old = await _serving(world)
    world.driver.answers.clear()
    looks = world.driver.looks
    waking = asyncio.create_task(world.wake())
    await world.until(lambda: world.driver.looks == looks + 1)
    world.driver.end(old, "killed", "ended by signal 9")
    await world.until(lambda: old not in world.live(1))
    world.driver.answers.set()
    assert (await waking).instance != old
    await world.until(lambda: bool(world.live(1)))
    assert old not in world.live(1)


async def test_while_the_driver_is_away_no_wake_is_answered_with_what_was(world: World) -> None:
    old = await _serving(world)
    world.driver.lose_all()
    world.driver.away = True
    waking = asyncio.create_task(world.wake())
    done, _ = await asyncio.wait({waking}, timeout=0.4)
    assert not done
    world.driver.away = False
    assert (await waking).instance not in (old, None)


async def test_what_replaces_an_instance_takes_calls_while_nobody_acknowledges(world: World) -> None:
    old = await _serving(world)
    world.acknowledge = False
    world.driver.end(old, "killed", "ended by signal 9")
    await world.until(lambda: bool(world.live(1)) and world.live(1) != [old], within_s=draining.GATEWAY_WORKERS_S * 1.5)


async def test_the_status_does_not_wait_for_acknowledgements_for_ever(world: World) -> None:
    world.acknowledge = False
    await world.register()
    await world.until(lambda: bool(world.live(1)))
    assert world.state(1) != "ready"
    await world.until(lambda: world.state(1) == "ready")


async def test_who_asks_to_be_replaced_before_it_was_ready_has_failed(world: World) -> None:
    world.driver.script = lambda spec: False
    await world.register()
    for number in (1, 2):
        await world.until(lambda number=number: len(world.driver.started) == number)  # type: ignore[misc]
        world.driver.end(world.driver.started[-1].id, "retired", "exit code 75")
    await world.until(lambda: world.state(1) == "failed")
    assert len(world.driver.started) == 2


async def test_the_next_manager_writes_nothing_where_nothing_changed(world: World) -> None:
    running = await _serving(world)
    routes, statuses = world.routes.revision, world.statuses.revision
    started = await _events(world, "started")
    await world.stop_manager()
    await world.start_manager()
    world.now += 1
    assert (await world.wake()).instance == running
    await world.until(lambda: _tasks(world) == 0)
    assert (world.routes.revision, world.statuses.revision) == (routes, statuses)
    assert await _events(world, "started") == started


async def test_the_next_manager_lets_calls_of_a_stopping_instance_end(world: World) -> None:
    old = await _serving(world)
    world.driver.stops.clear()
    await world.update(env={"A": "2"})
    await world.until(lambda: bool(world.driver.graces))
    await world.stop_manager()
    await world.start_manager()
    await world.until(lambda: len(world.driver.graces) == 2)
    assert all(instance == old and grace_s > 0 for instance, grace_s in world.driver.graces)
    world.driver.stops.set()
    await world.until(lambda: old not in world.driver.instances)
    assert world.live(2)


async def test_the_next_manager_waits_for_the_end_of_a_drain_before_it_forgets_a_function(world: World) -> None:
    await _serving(world)
    world.driver.stops.clear()
    await world.edit(change="deleting")
    await world.until(lambda: bool(world.driver.graces))
    await world.stop_manager()
    await world.start_manager()
    await world.until(lambda: len(world.driver.graces) == 2)
    with pytest.raises(AssertionError):
        await world.until(lambda: world.route is None, within_s=0.5)
    assert await world.functions.get(KEY) is not None
    world.driver.stops.set()
    await world.until(lambda: world.route is None)
    assert not world.driver.instances


async def test_a_function_that_vanished_while_no_manager_ran_leaves_nothing(world: World) -> None:
    await _serving(world)
    await world.stop_manager()
    await world.functions.delete(KEY)
    await world.start_manager()
    await world.until(lambda: not world.driver.instances and world.route is None and world.status is None)


async def test_ready_said_while_the_next_manager_still_looks_is_not_lost(world: World) -> None:
    world.driver.script = lambda spec: False
    await world.register()
    await world.until(lambda: len(world.driver.started) == 1)
    await world.stop_manager()
    world.driver.answers.clear()
    looks = world.driver.looks
    starting = asyncio.create_task(world.start_manager())
    await world.until(lambda: world.driver.looks == looks + 1)
    world.driver.ready(world.driver.started[0].id)
    await world.until(world.driver._events.empty)
    world.driver.answers.set()
    await starting
    await world.until(lambda: world.state(1) == "ready", within_s=observer.RESYNC_S / 2)


async def test_a_start_or_a_stop_that_breaks_in_a_new_way_is_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "BROKEN_RETRY_S", 0.05)
    start, stop, broken = world.driver.start, world.driver.stop, ["start", "stop"]

    async def start_or_break(spec: InstanceSpec) -> Instance:
        if "start" in broken:
            broken.remove("start")
            raise RuntimeError("of a kind that nobody thought of")
        return await start(spec)

    async def stop_or_break(instance: str, grace_s: float) -> None:
        if "stop" in broken:
            broken.remove("stop")
            raise Invalid("of a kind that nobody thought of")
        await stop(instance, grace_s)

    monkeypatch.setattr(world.driver, "start", start_or_break)
    monkeypatch.setattr(world.driver, "stop", stop_or_break)
    await _idle(world)
    assert broken == []
