"""A node whose memory is used up: who gets the next place, who gives one, and what calls are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from faasioflex.bus.buckets import SCALE
from faasioflex.bus.codec import decode, encode
from faasioflex.manager import draining
from faasioflex.model.function import Limits, Scaling
from faasioflex.model.messages import WAKE_SUBJECT, RevisionLoad, WakeReply, WakeRequest
from faasioflex.model.status import DesiredScale, ScaleDecision

from .conftest import KEY, SPEC, World

SIZE = SPEC.limits.memory_bytes
OTHER = "shop.other"


async def wake(world: World, key: str) -> WakeReply:
    namespace, name = key.split(".")
    return decode(WakeReply, await world.bus.request(WAKE_SUBJECT, encode(WakeRequest(namespace, name, 1, 1)), 20.0))


async def bounded(world: World, places: int) -> None:
    """A manager with room for so many instances, and the first function, ready."""
    await world.stop_manager()
    world.options = {"memory_budget_bytes": places * SIZE}
    await world.start_manager()
    await world.register(replace(SPEC, scaling=Scaling(max_instances=10, idle_s=1e6)))
    await world.until(lambda: world.state(1) == "ready", "the first is ready")


def busy(world: World, *keys: str) -> None:
    world.loads = tuple(RevisionLoad(*key.split("."), revision=1, in_progress=1, issued=1) for key in keys)


async def test_no_more_than_fits_and_the_status_and_an_event_say_why(world: World) -> None:
    await bounded(world, 3)
    busy(world, KEY)
    await world.desire(r1=5)
    await world.until(lambda: len(world.live(1)) == 3, "three fit")
    await world.until(
        lambda: bool(world.status and "memory_budget_bytes" in (world.status.revisions[1].message or "")),
        "the status says it",
    )
    assert len(world.driver.started) == 3
    (told,) = await world.events("instance.held")
    assert told["budget_bytes"] == told["reserved_bytes"] == 3 * SIZE
    assert "memory_budget_bytes" in told["reason"]


async def test_an_idle_instance_makes_room_for_a_function_that_has_less(world: World) -> None:
    await bounded(world, 2)
    await world.desire(r1=2)
    await world.until(lambda: len(world.live(1)) == 2, "it fills the node")
    await world.rest(5)
    await world.copy(OTHER, "u2")
    await world.until(lambda: len(world.live_of(OTHER)) == 1, "the other one has its place")
    assert len(world.live(1)) == 1
    await world.rest(5)
    await asyncio.wait_for(wake(world, OTHER), 5)
    await world.until(lambda: len(world.live(1)) == 1)
    assert len(world.driver.started) == 3, "what was idle does not come back while nobody calls it"


async def test_who_has_calls_keeps_one_and_waiting_calls_are_told_to_come_again(world: World) -> None:
    await bounded(world, 1)
    await world.copy(OTHER, "u2")  # waits for its first look
    busy(world, KEY)
    await world.rest(5)
    refused = await asyncio.wait_for(wake(world, OTHER), 5)
    assert (refused.code, refused.status) == ("node-full", 503)
    assert "call again" in (refused.message or "")
    assert world.live(1)
    busy(world)
    await world.rest(5)
    await world.until(lambda: len(world.live_of(OTHER)) == 1, "when its calls have ended it makes room")


async def test_a_busy_function_gives_what_is_above_its_share_and_never_more(world: World) -> None:
    await bounded(world, 4)
    await world.desire(r1=4)
    await world.until(lambda: len(world.live(1)) == 4, "it fills the node")
    busy(world, KEY)
    await world.copy(OTHER, "u2", scaling=Scaling(min_instances=4, max_instances=4))
    await world.until(lambda: len(world.live_of(OTHER)) == 2, "half of the places are its share")
    await world.until(lambda: len(world.driver.instances) == 4)
    assert len(world.live(1)) == 2
    count = len(world.driver.started)
    for _ in range(3):  # looks again and again: nothing goes to and fro
        await world.rest(5)
        await world.look_again()
    assert len(world.driver.started) == count


async def test_a_heavier_namespace_has_more(world: World) -> None:
    await world.stop_manager()
    world.options = {"weights": {"shop": 3.0}}
    await bounded_with(world, 4)
    await world.desire(r1=4)
    await world.until(lambda: len(world.live(1)) == 4, "it fills the node")
    busy(world, KEY)
    await world.copy(OTHER, "u2", scaling=Scaling(min_instances=4, max_instances=4))
    await world.until(lambda: len(world.live_of(OTHER)) == 3, "three quarters are its share")
    assert len(world.live(1)) == 1


async def bounded_with(world: World, places: int) -> None:
    world.options |= {"memory_budget_bytes": places * SIZE}
    await world.start_manager()
    await world.register(replace(SPEC, scaling=Scaling(max_instances=10, idle_s=1e6)))
    await world.until(lambda: world.state(1) == "ready", "the first is ready")


async def test_provisioned_instances_stay(world: World) -> None:
    await bounded(world, 2)
    await world.edit(spec=replace(SPEC, scaling=Scaling(min_instances=2, max_instances=2)))
    await world.until(lambda: len(world.live(1)) == 2, "two are kept")
    await world.rest(5)
    await world.copy(OTHER, "u2")
    refused = await asyncio.wait_for(wake(world, OTHER), 5)
    assert refused.code == "node-full"
    assert len(world.live(1)) == 2


async def test_what_the_schedule_asks_for_stays(world: World) -> None:
    await bounded(world, 2)
    decision = ScaleDecision(1, 2, "schedule", 1.0, 2.0, "instances", "by the schedule", world.now)
    scale = DesiredScale("u1", {1: 2}, "by the schedule", world.now, {1: decision})
    await world.bus.bucket(SCALE.name, DesiredScale).put(KEY, scale)
    await world.until(lambda: len(world.live(1)) == 2)
    await world.rest(5)
    await world.copy(OTHER, "u2")
    assert (await asyncio.wait_for(wake(world, OTHER), 5)).code == "node-full"
    assert len(world.live(1)) == 2


async def test_what_never_fits_is_said_and_takes_nothing_from_others(world: World) -> None:
    await bounded(world, 2)
    await world.copy(OTHER, "u2", limits=Limits(memory_bytes=3 * SIZE))
    await world.until(
        lambda: OTHER in world.statuses.entries and bool(world.statuses.entries[OTHER].value.revisions[1].message),
        "its status says why",
    )
    await world.rest(5)
    await world.desire(r1=2)
    await world.until(lambda: len(world.live(1)) == 2, "the others have the node")


async def test_under_memory_pressure_a_drain_does_not_wait_for_ever_for_the_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "PRESSED_S", 0.5)
    await bounded(world, 1)
    world.acknowledge = False
    await world.rest(5)
    await world.copy(OTHER, "u2")
    await world.until(lambda: len(world.live_of(OTHER)) == 1, "it has the place")


async def test_another_manager_counts_what_runs(world: World) -> None:
    await bounded(world, 2)
    busy(world, KEY)
    await world.desire(r1=2)
    await world.until(lambda: len(world.live(1)) == 2)
    await world.stop_manager()
    await world.start_manager()
    await world.desire(r1=3)
    await world.until(
        lambda: bool(world.status and "memory_budget_bytes" in (world.status.revisions[1].message or "")),
        "no third one fits",
    )
    assert len(world.driver.instances) == 2


async def test_a_rollout_on_a_full_node_takes_the_place_of_what_it_replaces(world: World) -> None:
    await bounded(world, 1)
    await world.rest(5)
    await world.update(env={"A": "2"})
    await world.until(lambda: world.route is not None and world.route.traffic == {2: 100}, "the new one serves")
    assert len(world.driver.instances) == 1
