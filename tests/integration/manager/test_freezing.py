"""Instances that rest are frozen in the order of a drain, and thawed by a wake."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from faasioflex.manager import draining, freezing
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import Scaling
from faasioflex.model.messages import RevisionLoad
from faasioflex.model.route import Endpoint

from .conftest import SPEC, World

RESTING = replace(SPEC, scaling=Scaling(freeze_s=5.0, idle_s=1e6))
CALLED = (RevisionLoad("acme", "hello", 1, in_progress=1, issued=1),)


@pytest.fixture
async def resting(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """With one ready instance of a function that is frozen after five seconds without a call."""
    monkeypatch.setattr(draining, "GATEWAY_WORKERS_S", 0.01)
    monkeypatch.setattr(freezing, "EVERY_S", 0.02)
    monkeypatch.setattr(freezing, "CONNECTED_PAUSE_S", 0.02)
    await world.register(RESTING)
    await world.until(lambda: world.state(1) == "ready")
    return world


def endpoint(world: World) -> Endpoint:
    assert world.route is not None
    (only,) = world.route.revisions[1].endpoints
    return only


def is_frozen(world: World) -> bool:
    return all(one.frozen for one in world.driver.instances.values()) and endpoint(world).frozen


async def test_it_is_frozen_when_the_routes_lead_past_it(resting: World) -> None:
    await resting.rest(3)
    assert not endpoint(resting).frozen
    resting.acknowledge = False
    await resting.rest(4)
    await resting.until(lambda: endpoint(resting).frozen, "the routes say it")
    assert resting.route is not None
    assert not resting.route.revisions[1].awake
    assert resting.route.revisions[1].live, "it counts as an instance"
    await resting.rest(2)
    await resting.look_again()  # were it frozen before everybody knows, it would be by now
    assert not is_frozen(resting)
    resting.acknowledge = True
    await resting.until(lambda: is_frozen(resting), "it is frozen")
    assert resting.state(1) == "ready"


async def test_a_wake_thaws_it_and_starts_nothing(resting: World) -> None:
    await resting.rest(7)
    await resting.until(lambda: is_frozen(resting))
    reply = await resting.wake()
    assert reply.instance == endpoint(resting).instance
    assert not resting.driver.instances[reply.instance].frozen, "before the answer"
    assert reply.took_s < 1
    await resting.until(lambda: not endpoint(resting).frozen, "the routes lead to it again")
    assert len(resting.driver.started) == 1
    await resting.rest(3)
    assert not is_frozen(resting)
    await resting.rest(4)
    await resting.until(lambda: is_frozen(resting), "and again when it rests")


async def test_who_is_called_or_connected_to_is_not_frozen(resting: World) -> None:
    resting.loads = CALLED
    await resting.rest(8)
    assert not endpoint(resting).frozen
    resting.loads = ()
    resting.driver.connected = {endpoint(resting).instance}
    await resting.rest(6)
    await resting.until(lambda: endpoint(resting).frozen, "the routes lead past it")
    await resting.until(lambda: not endpoint(resting).frozen, "somebody stays connected: they lead to it again")
    assert not any(one.frozen for one in resting.driver.instances.values())


async def test_a_call_that_came_on_the_way_keeps_it_awake(resting: World) -> None:
    resting.acknowledge = False
    await resting.rest(6)
    await resting.until(lambda: endpoint(resting).frozen)
    resting.loads = CALLED
    await resting.rest(1)
    resting.acknowledge = True
    await resting.until(lambda: not endpoint(resting).frozen)
    assert not any(one.frozen for one in resting.driver.instances.values())


async def test_a_wake_on_the_way_takes_it_back(resting: World) -> None:
    resting.acknowledge = False
    await resting.rest(6)
    await resting.until(lambda: endpoint(resting).frozen)
    reply = await resting.wake()
    assert reply.instance == endpoint(resting).instance
    resting.acknowledge = True
    await resting.until(lambda: not endpoint(resting).frozen)
    await resting.rest(2)
    assert not is_frozen(resting)


async def test_one_that_could_not_be_thawed_at_once_is_thawed_by_the_next_call(
    resting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    freezes, go_on, driver = asyncio.Event(), asyncio.Event(), resting.driver
    freeze, thaw, failed = driver.freeze, driver.thaw, asyncio.Event()

    async def slowly(instance: str) -> None:
        freezes.set()
        await go_on.wait()
        await freeze(instance)

    async def fails(_: str) -> None:
        failed.set()
        raise Unavailable("the launcher does not answer")

    monkeypatch.setattr(driver, "freeze", slowly)
    monkeypatch.setattr(driver, "thaw", fails)
    await resting.rest(7)
    await asyncio.wait_for(freezes.wait(), 10)
    reply = await resting.wake()
    go_on.set()
    await asyncio.wait_for(failed.wait(), 10)
    monkeypatch.setattr(driver, "thaw", thaw)
    assert (await resting.wake()).instance == reply.instance
    assert not driver.instances[endpoint(resting).instance].frozen


async def test_who_is_silent_is_not_idle(resting: World) -> None:
    resting.loads = None
    resting.now += 100
    await resting.look_again()
    assert not endpoint(resting).frozen


async def test_without_freeze_s_it_stays_awake(resting: World) -> None:
    await resting.edit(spec=SPEC)
    await resting.rest(10)
    assert not endpoint(resting).frozen


async def test_the_end_of_a_frozen_one_is_noticed(resting: World) -> None:
    await resting.rest(7)
    await resting.until(lambda: is_frozen(resting))
    first = endpoint(resting).instance
    resting.driver.end(first, "killed", "ended by signal 9")
    await resting.until(lambda: len(resting.live(1)) == 1 and resting.live(1) != [first], "another one takes its place")


async def test_a_frozen_one_is_stopped_as_any_other(resting: World) -> None:
    await resting.rest(7)
    await resting.until(lambda: is_frozen(resting))
    await resting.desire(r1=0)
    await resting.until(lambda: len(resting.driver.stopped) == 1)
    await resting.until(lambda: resting.state(1) == "idle")


async def test_the_next_manager_sees_the_frost_and_thaws(resting: World) -> None:
    await resting.rest(7)
    await resting.until(lambda: is_frozen(resting))
    await resting.stop_manager()
    await resting.start_manager()
    await resting.until(lambda: is_frozen(resting))
    reply = await resting.wake()
    assert reply.instance
    assert not resting.driver.instances[reply.instance].frozen
    assert len(resting.driver.started) == 1


async def test_one_that_was_only_marked_serves_under_the_next_manager(resting: World) -> None:
    resting.acknowledge = False
    await resting.rest(6)
    await resting.until(lambda: endpoint(resting).frozen)
    await resting.stop_manager()
    resting.acknowledge = True
    await resting.start_manager()
    await resting.until(lambda: not endpoint(resting).frozen, "nothing has frozen it")


async def test_a_machine_that_cannot_freeze_says_so_once(resting: World) -> None:
    resting.driver.fixed = "no way to freeze here"
    await resting.rest(7)
    await resting.until(lambda: any("no way to freeze" in line for line in resting.lines()), "the log says it")
    await resting.until(lambda: not endpoint(resting).frozen)
    await resting.rest(10)
    assert sum("no way to freeze" in line for line in resting.lines()) == 1
