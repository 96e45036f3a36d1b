"""Instances beside one that serves come up a few at a time; what serves nothing waits for nobody."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.manager.start_turns import StartTurns
from faasioflex.model.function import Scaling
from faasioflex.model.instance import InstanceReady

from .conftest import SPEC, World


async def test_a_step_comes_up_in_turns(world: World) -> None:
    await world.register(replace(SPEC, scaling=Scaling(max_instances=9)))
    await world.until(lambda: len(world.live_of("acme.hello")) == 1, "the first serves")
    assert world.manager is not None
    world.manager._lifecycle._turns = StartTurns(at_once=2)
    world.driver.script = lambda _spec: False  # none is ready by itself
    await world.desire(r1=7)
    await world.until(lambda: len(world.driver.started) == 3, "two more are being started")
    assert len(world.manager._reconciler.states["acme.hello"].instances) == 7  # all are counted, none is ordered twice
    for number in range(1, 7):
        world.driver._events.put_nowait(InstanceReady(world.driver.started[number].id))
        await world.until(lambda: len(world.live_of("acme.hello")) == 1 + number, "it serves")  # noqa: B023
        await world.until(lambda: len(world.driver.started) == min(3 + number, 7), "the next is begun")  # noqa: B023


async def test_one_that_is_not_wanted_any_more_is_never_started(world: World) -> None:
    await world.register(replace(SPEC, scaling=Scaling(max_instances=9)))
    await world.until(lambda: len(world.live_of("acme.hello")) == 1, "the first serves")
    assert world.manager is not None
    world.manager._lifecycle._turns = StartTurns(at_once=1)
    world.driver.script = lambda _spec: False
    await world.desire(r1=4)
    await world.until(lambda: len(world.driver.started) == 2, "one more is being started")
    await world.desire(r1=1)
    instances = world.manager._reconciler.states["acme.hello"].instances
    await world.until(lambda: len(instances) == 1, "the others are gone")
    world.driver.script = lambda _spec: True
    await world.desire(r1=2)
    await world.until(lambda: len(world.live_of("acme.hello")) == 2, "the next one has its turn")
    assert len(world.driver.started) == 3
