"""The function manager as a whole: what users set, what runs, what the routes say, at any interruption."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from faasioflex.bus.buckets import SCALE
from faasioflex.manager.crashes import LONGEST_HOLD_S
from faasioflex.model.function import ScaleRequest, Scaling
from faasioflex.model.instance import InstanceSpec
from faasioflex.model.messages import WakeReply
from faasioflex.model.status import DesiredScale, ScaleDecision

from .conftest import KEY, SPEC, World


async def test_register_build_start_serve(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    assert world.route is not None
    assert world.route.traffic == {1: 100}
    assert world.live(1) == [world.driver.started[0].id]
    assert world.builder.builds == [1]


async def test_a_new_revision_takes_over_when_it_is_ready_and_the_old_one_drains(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    old = world.live(1)[0]
    world.driver.script = lambda spec: False
    await world.update(env={"A": "2"})
    await world.until(lambda: len(world.driver.started) == 2)
    assert world.route is not None
    assert world.route.traffic == {1: 100}
    assert world.live(1) == [old]
    world.driver.ready(world.driver.started[1].id)
    await world.until(lambda: world.state(2) == "ready")
    assert world.route.traffic == {2: 100}
    await world.until(lambda: world.driver.stopped == [old])
    assert world.live(2) == [world.driver.started[1].id]


async def test_nothing_is_stopped_before_everybody_has_acknowledged(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    world.acknowledge = False
    await world.update(env={"A": "2"})
    await world.until(lambda: bool(world.live(2)))
    with pytest.raises(AssertionError):
        await world.until(lambda: bool(world.driver.stopped), within_s=1.5)
    world.acknowledge = True
    await world.until(lambda: len(world.driver.stopped) == 1)


async def test_a_failed_build_leaves_what_serves(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    world.builder.broken = {2}
    await world.update(env={"A": "2"})
    await world.until(lambda: world.state(2) == "failed")
    assert world.status is not None
    assert "there is no handle" in (world.status.revisions[2].message or "")
    assert world.status.change == "failed"
    assert world.route is not None
    assert world.route.traffic == {1: 100}
    assert world.live(1)


async def test_a_revision_that_never_starts_fails_with_its_last_words_and_the_old_one_serves(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    world.driver.script = lambda spec: "exit code 1" if spec.revision == 2 else True
    await world.update(env={"A": "2"})
    await world.until(lambda: world.state(2) == "failed")
    assert world.status is not None
    assert "exit code 1" in (world.status.revisions[2].message or "")
    assert sum(1 for spec in world.driver.started if spec.revision == 2) == 2
    assert world.live(1)


async def test_only_failed_revisions_tell_callers_why(world: World) -> None:
    world.builder.broken = {1}
    await world.register()
    await world.until(lambda: world.state(1) == "failed")
    assert world.route is not None
    assert "there is no handle" in (world.route.message or "")
    reply = await world.wake()
    assert reply.code == "start-failed"


async def test_canary_is_started_checked_and_waits_for_traffic(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.update(rollout="none", env={"A": "2"})
    await world.until(lambda: world.state(2) == "ready")
    assert world.route is not None
    assert world.route.traffic == {1: 100}
    canary = world.live(2)
    await world.edit(split={1: 90, 2: 10}, rollouts=())
    await world.until(lambda: world.route is not None and world.route.traffic == {1: 90, 2: 10})
    assert world.live(2) == canary
    assert len(world.driver.started) == 2


async def test_crash_is_replaced_at_once_and_a_crash_loop_backs_off(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    first = world.live(1)[0]
    world.driver.end(first, "signal", "ended by signal 9")
    await world.until(lambda: bool(world.live(1)) and world.live(1) != [first])
    world.driver.end(world.live(1)[0], "signal", "ended by signal 9")
    await world.until(lambda: world.state(1) == "starting" or world.state(1) == "idle")
    count = len(world.driver.started)
    assert world.status is not None
    await world.until(
        lambda: "2 times in a row" in (world.status.revisions[1].message or "") if world.status else False
    )
    world.now += 0.6
    await world.until(lambda: len(world.driver.started) == count + 1)


async def test_being_killed_again_and_again_is_no_crash_loop(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    for _ in range(8):
        victim = world.live(1)[0]
        world.driver.end(victim, "killed", "ended by signal 9 (SIGKILL)")
        await world.until(lambda gone=victim: gone not in world.live(1))  # type: ignore[misc]
        world.now += 0.6
        waking = asyncio.create_task(world.wake())
        await world.until(lambda gone=victim: bool(world.live(1)) and gone not in world.live(1))  # type: ignore[misc]
        assert (await waking).address is not None


async def test_calls_that_end_the_process_keep_the_others_waiting_but_not_out(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    for _ in range(10):
        waking = await _poison(world)
        done, _ = await asyncio.wait({waking}, timeout=0.05)
        assert all(one.result().address is not None for one in done), "held, not refused"
        world.now += LONGEST_HOLD_S
        reply = await waking
        assert (reply.code, reply.instance in world.driver.instances) == (None, True)
        await world.until(lambda now=reply.instance: world.live(1) == [now])  # type: ignore[misc]
    await world.until(lambda: world.state(1) == "ready" and world.status.revisions[1].message is None)  # type: ignore[union-attr]


async def test_after_ends_in_a_row_one_failed_start_is_not_the_last(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    for _ in range(4):
        waking = await _poison(world)
        world.now += LONGEST_HOLD_S
        reply = await waking
        await world.until(lambda now=reply.instance: world.live(1) == [now])  # type: ignore[misc]
    starts = len(world.driver.started)
    world.driver.script = lambda spec: "exit code 1" if len(world.driver.started) == starts + 1 else True
    waking = await _poison(world)
    world.now += LONGEST_HOLD_S
    assert (await waking).address is not None
    assert len(world.driver.started) == starts + 2


async def _poison(world: World) -> asyncio.Task[WakeReply]:
    """A call ends the instance that has it; another call waits for the next one."""
    victim = world.live(1)[0]
    world.driver.end(victim, "exit", "exit code 3")
    await world.until(lambda: victim not in world.live(1))
    return asyncio.create_task(world.wake())


async def test_idle_stops_and_one_wake_starts_one_for_many_callers(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle")
    count = len(world.driver.started)
    world.now += 1
    replies = await asyncio.gather(*(world.wake() for _ in range(50)))
    assert len({reply.address for reply in replies}) == 1
    assert replies[0].address is not None
    assert len(world.driver.started) == count + 1


async def test_what_was_just_woken_is_not_stopped_by_an_older_decision(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle")
    world.now += 1
    await world.wake()
    stopped = len(world.driver.stopped)
    await world.desire(r1=0)  # decided after the wake, on what was seen before it
    await world.until(lambda: world.state(1) == "ready")
    with pytest.raises(AssertionError):
        await world.until(lambda: len(world.driver.stopped) > stopped, within_s=0.5)
    await world.edit(scale=ScaleRequest(0, world.now + 1))
    await world.until(lambda: len(world.driver.stopped) > stopped)


async def test_a_call_that_waits_outlives_a_scale_to_zero(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle")
    world.driver.script = lambda spec: False
    world.now += 1
    count = len(world.driver.started)
    waking = asyncio.create_task(world.wake())
    await world.until(lambda: len(world.driver.started) == count + 1)
    await world.edit(scale=ScaleRequest(0, world.now + 1))
    await world.desire(r1=0)
    world.driver.script = lambda spec: True
    world.driver.ready(world.driver.started[-1].id)
    assert (await waking).address is not None


async def test_wake_of_a_crashing_revision_tells_why(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle")
    world.driver.script = lambda spec: "exit code 3"
    world.now += 1
    reply = await world.wake()
    assert reply.code == "start-failed"
    assert "exit code 3" in (reply.message or "")


async def test_delete_drains_and_forgets_everything(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.edit(change="deleting")
    await world.until(lambda: KEY not in world.statuses.entries)
    deadline = asyncio.get_running_loop().time() + 5
    while await world.functions.get(KEY) is not None:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    assert not world.driver.instances
    assert world.route is None
    assert (await world.wake()).code == "function-not-found"


async def test_manager_dies_and_the_next_one_adopts_what_runs(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    running = world.live(1)
    await world.stop_manager()
    await world.start_manager()
    world.now += 1
    assert (await world.wake()).instance == running[0]
    await world.update(env={"A": "2"})
    await world.until(lambda: world.state(2) == "ready")
    assert len(world.driver.started) == 2


async def test_manager_dies_in_the_middle_of_a_build(world: World) -> None:
    world.builder.gate.clear()
    await world.register()
    await world.until(lambda: world.builder.builds == [1])
    await world.stop_manager()
    world.builder.gate.set()
    await world.start_manager()
    await world.until(lambda: world.state(1) == "ready")


async def test_changes_while_no_manager_runs_are_found(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.stop_manager()
    await world.update(env={"A": "2"})
    await world.edit(change="deleting")
    await world.start_manager()
    await world.until(lambda: not world.driver.instances)
    await world.until(lambda: world.route is None)


async def test_instances_of_nobody_are_ended(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    known = world.driver.specs[world.live(1)[0]]
    await world.stop_manager()
    orphan: InstanceSpec = replace(known, id="i-orphan", function_uid="somebody else")
    await world.driver.start(orphan)
    await world.start_manager()
    await world.until(lambda: "i-orphan" not in world.driver.instances)
    assert known.id in world.driver.instances


async def test_launcher_dies_with_all_instances_and_a_wake_finds_out(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    gone = world.live(1)
    world.driver.lose_all()
    world.now += 6
    reply = await world.wake()
    assert reply.instance not in gone
    assert reply.address is not None
    await world.until(lambda: world.live(1) == [reply.instance])


async def test_driver_away_calls_wait_for_it(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=0)
    await world.until(lambda: world.state(1) == "idle")
    world.driver.away = True
    world.now += 1
    waking = asyncio.create_task(world.wake())
    done, _ = await asyncio.wait({waking}, timeout=0.6)
    assert not done
    world.driver.away = False
    assert (await waking).address is not None


async def test_min_and_max_instances(world: World) -> None:
    await world.register(replace(SPEC, scaling=Scaling(min_instances=2, max_instances=3)))
    await world.until(lambda: len(world.live(1)) == 2)
    await world.desire(r1=9)
    await world.until(lambda: len(world.live(1)) == 3)
    await world.edit(spec=replace(SPEC, scaling=Scaling(min_instances=1, max_instances=3)))
    await world.desire(r1=0)
    await world.until(lambda: len(world.live(1)) == 1)


async def test_what_is_told_of_a_scaling_has_the_reason_of_the_decision(world: World) -> None:
    await world.register(replace(SPEC, scaling=Scaling(max_instances=3)))
    await world.until(lambda: world.state(1) == "ready")
    up = ScaleDecision(1, 2, "concurrency", 12.0, 7.0, "calls", "12 calls at once", world.now)
    scales = world.bus.bucket(SCALE.name, DesiredScale)
    await scales.put(KEY, DesiredScale("u1", {1: 2}, "", world.now, {1: up}))
    await world.until(lambda: world.status is not None and world.status.change == "scaled")
    assert world.status is not None
    told = {"signal": "concurrency", "value": 12.0, "threshold": 7.0, "unit": "calls", "reason": "12 calls at once"}
    assert world.status.change_data == {"from": 1, "to": 2, **told}
    await scales.put(KEY, DesiredScale("u1", {1: 1}, "", world.now, {1: up}))  # it goes down, and nobody says why
    await world.until(lambda: world.status is not None and world.status.change_data.get("to") == 1)
    assert world.status.change_data == {"from": 2, "to": 1}


async def test_rollback_to_a_revision_that_is_gone_starts_it_and_one_that_runs_is_used(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.update(env={"A": "2"})
    await world.until(lambda: world.state(2) == "ready" and world.state(1) == "idle")
    await world.edit(split={1: 100}, rollouts=())
    await world.until(lambda: bool(world.live(1)))
    assert world.route is not None
    await world.until(lambda: world.route is not None and world.route.traffic == {1: 100})
