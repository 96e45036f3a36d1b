"""The autoscaler over the in-memory bus: reports in, desired scale out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from faasioflex.autoscaler.service import Autoscaler
from faasioflex.bus.buckets import FUNCTIONS, ROUTES, SCALE
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.mirror import Mirror
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, Limits, ScaleRequest, Scaling
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport, RevisionLoad
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from faasioflex.model.status import DesiredScale

KEY = "acme.hello"


class World:
    """``report`` is what gateway and invoker say; a real clock paces the loop, ``now`` is what it believes."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.now = 10_000.0
        self.scaler = Autoscaler(self.bus, clock=lambda: self.now)
        self.desired: Mirror[DesiredScale] = Mirror(self.bus.bucket(SCALE.name, DesiredScale))
        self.functions = self.bus.bucket(FUNCTIONS.name, FunctionRecord)
        self.routes = self.bus.bucket(ROUTES.name, FunctionRoute)
        self.record = FunctionRecord(
            uid="u1",
            spec=FunctionSpec("acme", "hello", "python", scaling=Scaling(idle_s=30.0, max_instances=9)),
            source=CodeSource("0" * 64, 1),
            latest=1,
            revisions={1: f"{KEY}.1-x"},
            rollouts=(1,),
            split={},
            created_at=0.0,
            updated_at=0.0,
            change="registered",
        )

    async def start(self, instances: int) -> None:
        await self.functions.put(KEY, self.record)
        await self.live(instances)
        await self.desired.start()
        await self.scaler.start()

    async def live(self, instances: int) -> None:
        endpoints = tuple(Endpoint(f"i-{number}", f"unix:/nowhere/{number}") for number in range(instances))
        revision = RevisionRoute(Limits(concurrency=10), endpoints)
        await self.routes.put(KEY, FunctionRoute("u1", "private", {1: 100}, {1: revision}))

    async def report(self, in_progress: int = 0, issued: int = 0, waiting: int = 0) -> None:
        loads = (
            (RevisionLoad("acme", "hello", 1, in_progress, issued, waiting),)
            if in_progress or issued or waiting
            else ()
        )
        await self.bus.publish(LOAD_SUBJECT, encode(LoadReport("gateway", "gateway.local", self.now, loads)))
        await self.bus.publish(LOAD_SUBJECT, encode(LoadReport("invoker", "invoker.local", self.now, ())))

    @property
    def wanted(self) -> int | None:
        entry = self.desired.entries.get(KEY)
        return entry.value.instances.get(1) if entry else None

    async def until(self, condition: Callable[[], bool], **report: int) -> None:
        """Report all the time until it is so."""
        deadline = asyncio.get_running_loop().time() + 15
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, self.desired.entries
            self.now += 0.1
            await self.report(**report)
            await asyncio.sleep(0.02)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.scaler.stop()
    await made.desired.stop()


async def test_load_brings_instances_and_calm_takes_them(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
    await world.live(5)
    world.now += 200
    await world.until(lambda: world.wanted == 0)


async def test_waiting_calls_are_load(world: World) -> None:
    await world.start(0)
    await world.until(lambda: (world.wanted or 0) >= 1, waiting=3)


async def test_silence_of_a_member_is_not_calm(world: World) -> None:
    await world.start(3)
    await world.until(lambda: world.wanted is not None, in_progress=20, issued=1)
    before = world.wanted
    world.now += 500  # nobody reports any more
    rounds = world.desired.revision
    deadline = asyncio.get_running_loop().time() + 2.5
    while asyncio.get_running_loop().time() < deadline:
        assert (world.wanted or 0) >= min(3, before or 0)
        await asyncio.sleep(0.02)
    assert world.desired.revision >= rounds


async def test_a_scale_request_is_done_at_once_and_only_once(world: World) -> None:
    await world.start(2)
    await world.until(lambda: (world.wanted or 0) >= 1, in_progress=12, issued=1)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now + 1)))
    world.now += 2
    await world.until(lambda: world.wanted == 0)
    await world.live(0)
    # calls come again: the load decides from now on
    await world.until(lambda: (world.wanted or 0) >= 1, waiting=1)


async def test_nothing_remembered_of_the_load_before_a_scale_request(world: World) -> None:
    await world.start(1)
    await world.until(lambda: (world.wanted or 0) >= 4, in_progress=30, issued=9)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now + 1)))
    world.now += 2
    await world.until(lambda: world.wanted == 0)
    for _ in range(3):
        world.now += 1
        await world.report()
        await asyncio.sleep(0.02)
    await world.until(lambda: world.wanted == 0)


async def test_a_deleted_function_is_forgotten(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.functions.delete(KEY)
    await world.routes.delete(KEY)
    await world.until(lambda: not world.scaler._watched, in_progress=0)


async def test_what_rests_is_not_remembered(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
    world.now += 200
    await world.until(lambda: world.wanted == 0)
    await world.live(0)
    await world.until(lambda: not world.scaler._watched and not world.scaler._awake)


async def test_a_late_report_of_a_deleted_function_is_not_remembered(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.functions.delete(KEY)
    await world.routes.delete(KEY)
    await world.until(lambda: not world.scaler._watched, issued=1)


async def test_a_revision_that_is_not_kept_is_forgotten(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    revision = RevisionRoute(Limits(concurrency=10), (Endpoint("i-2", "unix:/nowhere/2"),))
    await world.routes.put(KEY, FunctionRoute("u1", "private", {2: 100}, {2: revision}))
    await world.until(lambda: set(world.scaler._watched.get(KEY, {})) == {2})
