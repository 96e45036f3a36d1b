"""The controller over the bus in memory and the gateway in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from faasioflex.bus import codec
from faasioflex.bus.buckets import ROUTES
from faasioflex.bus.memory import MemoryBus
from faasioflex.gateway.controller import GatewayController
from faasioflex.gateway.memory import MemoryGateway
from faasioflex.identity.directory import Directory
from faasioflex.model.errors import Invalid, Unavailable
from faasioflex.model.function import Limits
from faasioflex.model.messages import (
    APPLIED_SUBJECT,
    CALLS_SUBJECT,
    LOAD_SUBJECT,
    Applied,
    CallsReport,
    LoadReport,
    RevisionCalls,
    RevisionLoad,
)
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from support.origin import until


def live(*names: str, draining: bool = False) -> FunctionRoute:
    endpoints = tuple(Endpoint(name, f"unix:/s/{name}", draining) for name in names)
    return FunctionRoute("uid", "private", {1: 100}, {1: RevisionRoute(Limits(), endpoints)})


@dataclass
class World:
    bus: MemoryBus
    gateway: MemoryGateway
    controller: GatewayController
    applied: list[Applied] = field(default_factory=list)
    loads: list[LoadReport] = field(default_factory=list)

    async def put(self, key: str, route: FunctionRoute) -> int:
        return await self.bus.bucket(ROUTES.name, FunctionRoute).put(key, route)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    bus, gateway = MemoryBus(), MemoryGateway()
    made = World(bus, gateway, GatewayController(bus, gateway, Directory(bus), tuple, clock=lambda: 123.0))

    async def applied(_: str, data: bytes) -> None:
        made.applied.append(codec.decode(Applied, data))

    async def load(_: str, data: bytes) -> None:
        made.loads.append(codec.decode(LoadReport, data))

    await bus.subscribe(APPLIED_SUBJECT, applied)
    await bus.subscribe(LOAD_SUBJECT, load)
    yield made
    await made.controller.stop()
    await bus.close()


async def test_routes_that_are_there_are_applied_at_the_start(world: World) -> None:
    assert world.controller.problem is not None
    revision = await world.put("acme.a", live("i-1"))
    await world.controller.start()
    await until(lambda: world.applied == [Applied("gateway.local", revision)])
    assert world.controller.problem is None
    assert world.gateway.table is not None
    assert [str(each.function) for each in world.gateway.table.functions] == ["acme/a"]


async def test_a_change_is_applied_and_told_at_once(world: World) -> None:
    await world.controller.start()
    for number in range(5):
        revision = await world.put("acme.a", live(f"i-{number}"))
        async with asyncio.timeout(0.5):  # not by a timer: TELL_S is a second
            while world.applied[-1:] != [Applied("gateway.local", revision)]:
                await asyncio.sleep(0)
        assert world.gateway.table is not None
        assert world.gateway.table.functions[0].revisions[0].addresses == (f"unix:/s/i-{number}",)


async def test_draining_is_told_although_the_table_may_look_the_same(world: World) -> None:
    await world.controller.start()
    await world.put("acme.a", live("i-1", draining=True))
    last = await world.put("acme.a", live(draining=True))
    await until(lambda: world.applied[-1:] == [Applied("gateway.local", last)])


async def test_a_burst_is_applied_in_fewer_steps_and_the_last_one_counts(world: World) -> None:
    await world.controller.start()
    await until(lambda: len(world.gateway.applied) == 1)
    last = 0
    for number in range(100):
        last = await world.put(f"acme.f{number}", live("i"))
    await until(lambda: world.gateway.applied[-1] == last)
    assert world.gateway.table is not None
    assert len(world.gateway.table.functions) == 100


async def test_a_gateway_that_is_away_is_a_problem_until_it_follows(world: World) -> None:
    world.gateway.failure = Unavailable("The gateway (Envoy) is not connected within 3 s.")
    await world.controller.start()
    await until(lambda: world.controller.problem == "The gateway (Envoy) is not connected within 3 s.")
    assert world.applied == []
    world.gateway.failure = None
    await until(lambda: world.controller.problem is None)
    await until(lambda: len(world.applied) >= 1)


async def test_while_a_table_is_refused_the_last_one_stays_told(world: World) -> None:
    await world.controller.start()
    first = await world.put("acme.a", live("i-1"))
    await until(lambda: world.applied[-1:] == [Applied("gateway.local", first)])
    world.gateway.failure = Invalid("refused")
    await world.put("acme.a", live("i-2"))
    await until(lambda: world.controller.problem == "refused")
    told = len(world.applied)
    await until(lambda: len(world.applied) > told)
    assert {each.revision for each in world.applied[told:]} == {first}


async def test_loads_are_reported_also_when_empty_and_not_when_blind(world: World) -> None:
    await world.controller.start()
    await until(lambda: LoadReport("gateway", "gateway.local", 123.0, ()) in world.loads)
    load = RevisionLoad("acme", "a", 1, in_progress=2, issued=3)
    world.gateway.reported = (load,)
    await until(lambda: world.loads[-1].loads == (load,))
    world.gateway.reported = None
    before = len(world.loads)
    told = len(world.applied)
    await until(lambda: len(world.applied) >= told + 2)  # over a second
    assert len(world.loads) <= before + 1


async def test_after_the_stop_nothing_is_told(world: World) -> None:
    await world.controller.start()
    await until(lambda: world.controller.problem is None)
    await world.controller.stop()
    assert world.controller.problem is not None
    assert world.gateway.started is False


async def test_answered_calls_are_told_once_and_nothing_where_there_were_none(world: World) -> None:
    told: list[CallsReport] = []

    async def take(_: str, data: bytes) -> None:
        told.append(codec.decode(CallsReport, data))

    await world.bus.subscribe(CALLS_SUBJECT, take)
    calls = (RevisionCalls("acme", "a", 3, 7, 1, {0: 6, 40: 1}, 61.5),)
    world.gateway.answered = calls
    await world.controller.start()
    await until(lambda: len(told) == 1)
    assert told == [CallsReport("gateway", "gateway.local", 123.0, calls)]
    await until(lambda: len(world.loads) == 5)  # longer than between two questions
    assert len(told) == 1
