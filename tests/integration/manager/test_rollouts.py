"""Provisioned instances through a rollout, and the time that what is drained is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faasioflex.manager import draining
from faasioflex.model.function import Limits, Scaling

from .conftest import SPEC, World

KEPT = replace(SPEC, scaling=Scaling(min_instances=3, max_instances=5))


async def test_traffic_moves_when_as_many_are_ready_as_are_always_kept(world: World) -> None:
    await world.register(KEPT)
    await world.until(lambda: len(world.live(1)) == 3)
    old = set(world.live(1))
    world.driver.script = lambda spec: False
    await world.update(env={"A": "2"})
    for count in (1, 2, 3):
        await world.until(lambda: len(world.driver.started) >= 3 + count)  # noqa: B023
        assert world.route is not None
        assert world.route.traffic == {1: 100}
        assert set(world.live(1)) == old
        assert world.state(2) != "ready"
        world.driver.ready(world.driver.started[2 + count].id)
    await world.until(lambda: world.route is not None and world.route.traffic == {2: 100})
    assert len(world.live(2)) == 3
    await world.until(lambda: set(world.driver.stopped) == old)


async def test_it_does_not_wait_for_ever_for_the_last_of_them(world: World) -> None:
    await world.register(KEPT)
    await world.until(lambda: len(world.live(1)) == 3)
    world.driver.script = lambda spec: False
    await world.update(env={"A": "2"})
    await world.until(lambda: len(world.driver.started) == 4)
    world.driver.ready(world.driver.started[3].id)
    await world.until(lambda: len(world.driver.started) == 6)
    world.now += 31
    await world.edit(updated_at=world.now)  # a look
    await world.until(lambda: world.route is not None and world.route.traffic == {2: 100})


async def test_where_nothing_serves_the_first_one_does(world: World) -> None:
    world.driver.script = lambda spec: False
    await world.register(KEPT)
    await world.until(lambda: len(world.driver.started) == 1)
    world.driver.ready(world.driver.started[0].id)
    await world.until(lambda: world.route is not None and world.route.traffic == {1: 100})


async def test_they_are_there_again_after_a_restart_that_lost_them(world: World) -> None:
    await world.register(KEPT)
    await world.until(lambda: len(world.live(1)) == 3)
    await world.stop_manager()
    world.driver.lose_all()
    await world.start_manager()
    await world.until(lambda: len(world.live(1)) == 3)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_drained_has_its_function_s_whole_timeout(
    world: World, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    monkeypatch.setattr(draining, "GATEWAY_WORKERS_S", 0.01)
    await world.register(replace(SPEC, limits=Limits(timeout_s=900.0)))
    await world.until(lambda: world.state(1) == "ready")
    old = world.live(1)[0]
    if restarted:
        await world.stop_manager()
        await world.start_manager()
    await world.update(limits=Limits(timeout_s=5.0))
    await world.until(lambda: old in world.driver.stopped)
    assert (old, 900.0) in world.driver.graces
