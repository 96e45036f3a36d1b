"""The autoscaler over the in-memory bus: reports in, desired scale out. The clock is a number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from faasioflex.autoscaler.service import Autoscaler
from faasioflex.bus.buckets import FUNCTIONS, ROUTES, SCALE
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.mirror import Mirror
from faasioflex.model.durations import bucket_of
from faasioflex.model.function import (
    CodeSource,
    FunctionRecord,
    FunctionSpec,
    Limits,
    ScaleRequest,
    Scaling,
    ScheduledMinimum,
)
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    LOAD_SUBJECT,
    SCALE_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    LoadReport,
    RevisionCalls,
    RevisionLoad,
    RevisionUsage,
    UsageReport,
)
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from faasioflex.model.status import DesiredScale, ScaleDecision
from support.deadline import eventually

KEY = "acme.hello"
EVERY_S = 0.002  # of the real clock between two rounds; of the other one, what a test lets pass


class World:
    """``report`` is what gateway, invoker and manager say; a real clock paces the loop, ``now`` is what it believes."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.now = 10_000.0
        self.scaler = Autoscaler(self.bus, clock=lambda: self.now, every_s=EVERY_S)
        self.desired: Mirror[DesiredScale] = Mirror(self.bus.bucket(SCALE.name, DesiredScale))
        self.functions = self.bus.bucket(FUNCTIONS.name, FunctionRecord)
        self.routes = self.bus.bucket(ROUTES.name, FunctionRoute)
        self.published: list[tuple[str, DesiredScale]] = []
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
        async def take(subject: str, data: bytes) -> None:
            self.published.append((subject, decode(DesiredScale, data)))

        await self.bus.subscribe(f"{SCALE_SUBJECT}.>", take)
        await self.functions.put(KEY, self.record)
        await self.live(instances)
        await self.desired.start()
        await self.scaler.start()

    async def restart(self) -> None:
        """As after kill -9: nothing is remembered but what is in the buckets."""
        await self.scaler.stop()
        self.scaler = Autoscaler(self.bus, clock=lambda: self.now, every_s=EVERY_S)
        await self.scaler.start()

    async def edit(self, **changes: object) -> None:
        scaling = replace(self.record.spec.scaling, **changes)  # type: ignore[arg-type]
        self.record = replace(self.record, spec=replace(self.record.spec, scaling=scaling), change="updated")
        await self.functions.put(KEY, self.record)

    async def live(self, instances: int, revision: int = 1) -> None:
        endpoints = tuple(Endpoint(f"i-{number}", f"unix:/nowhere/{number}") for number in range(instances))
        described = RevisionRoute(Limits(concurrency=10), endpoints)
        await self.routes.put(KEY, FunctionRoute("u1", "private", {revision: 100}, {revision: described}))

    async def report(self, in_progress: int = 0, issued: int = 0, waiting: int = 0, queued: int = 0) -> None:
        """In progress at the gateway; what waits, waits in the invoker."""
        at_gateway = (RevisionLoad("acme", "hello", 1, in_progress, issued),) if in_progress or issued else ()
        held = (RevisionLoad("acme", "hello", 1, 0, 0, waiting, queued),) if waiting or queued else ()
        await self.bus.publish(LOAD_SUBJECT, encode(LoadReport("gateway", "gateway.local", self.now, at_gateway)))
        await self.bus.publish(LOAD_SUBJECT, encode(LoadReport("invoker", "invoker.local", self.now, held)))

    async def use(self, cpu_s: float, memory_bytes: int, instances: int) -> None:
        usage = RevisionUsage("acme", "hello", 1, instances, memory_bytes, cpu_s, 100 * instances, 0.5 * instances)
        await self.bus.publish(USAGE_SUBJECT, encode(UsageReport("manager.local", self.now, 5.0, (usage,))))

    @property
    def wanted(self) -> int | None:
        entry = self.desired.entries.get(KEY)
        return entry.value.instances.get(1) if entry else None

    @property
    def why(self) -> ScaleDecision:
        return self.desired.entries[KEY].value.decisions[1]

    async def until(self, condition: Callable[[], bool], **report: int) -> None:
        """Report all the time until it is so."""
        deadline = asyncio.get_running_loop().time() + 15
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, self.desired.entries
            self.now += 0.1
            await self.report(**report)
            await asyncio.sleep(0.005)

    async def pass_s(self, seconds: float, **report: int) -> None:
        """So many seconds, in each of which everybody reports and the autoscaler looks."""
        end = self.now + seconds
        while self.now < end:
            self.now += 1.0
            await self.report(**report)
            await self.looked()

    async def looked(self) -> None:
        """It has looked at everything in the state that it is in now."""
        rounds = self.scaler.rounds
        await eventually(lambda: self.scaler.rounds >= rounds + 2, "the autoscaler looks")
        await asyncio.sleep(0)


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


async def test_calls_that_go_on_waiting_get_room_before_the_windows_see_them(world: World) -> None:
    await world.start(1)
    await world.pass_s(70, in_progress=5, issued=10)
    assert world.wanted == 1
    await world.until(lambda: (world.wanted or 0) >= 6, in_progress=10, issued=10, waiting=30)
    assert world.why.signal == "waiting"


async def test_asynchronous_calls_in_the_queue_are_load(world: World) -> None:
    await world.start(0)
    await world.until(lambda: world.wanted == 4, queued=350)
    assert (world.why.signal, world.why.value, world.why.threshold) == ("queue", 350.0, 100.0)


async def test_cpu_and_memory_and_latency_are_looked_at(world: World) -> None:
    await world.start(2)
    await world.pass_s(2, in_progress=2, issued=1)
    for _ in range(4):
        await world.use(cpu_s=7.5, memory_bytes=20, instances=2)  # of 5 s x 1 core
        await world.pass_s(5, in_progress=2, issued=1)
    assert (world.wanted, world.why.signal, world.why.value) == (4, "cpu", 150.0)
    await world.edit(cpu_percent=None, memory_percent=None, latency_p95_ms=100.0, min_instances=1)
    await world.live(4)
    await world.pass_s(1, in_progress=2, issued=1)
    calls = RevisionCalls("acme", "hello", 1, answered=30, durations={bucket_of(400): 30})
    await world.bus.publish(CALLS_SUBJECT, encode(CallsReport("gateway", "gateway.local", world.now, (calls,))))
    await world.until(lambda: world.wanted == 5, in_progress=2, issued=1)
    assert (world.why.signal, world.why.threshold, world.why.unit) == ("latency", 100.0, "ms")


async def test_calls_a_second_may_be_the_metric(world: World) -> None:
    world.record = replace(world.record, spec=replace(world.record.spec, scaling=Scaling(metric="rate", target=10.0)))
    await world.start(1)
    await world.pass_s(20, issued=20)
    assert (world.wanted, world.why.signal, world.why.value, world.why.threshold) == (3, "rate", 20.0, 7.0)


async def test_silence_of_a_member_is_not_calm(world: World) -> None:
    await world.start(3)
    await world.until(lambda: world.wanted is not None, in_progress=20, issued=1)
    before = world.wanted
    world.now += 500  # nobody reports any more
    await world.looked()
    assert (world.wanted or 0) >= min(3, before or 0)


async def test_nothing_goes_down_for_a_while_after_silence(world: World) -> None:
    await world.start(5)
    await world.pass_s(70, in_progress=30, issued=1)
    assert world.wanted == 5
    world.now += 500
    await world.pass_s(20, in_progress=1, issued=1)
    assert world.wanted == 5
    await world.pass_s(60, in_progress=1, issued=1)
    assert (world.wanted or 0) < 5


async def test_nothing_goes_down_because_it_was_started_again(world: World) -> None:
    await world.start(5)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=1)
    await world.restart()
    await world.looked()  # nobody has reported yet
    assert world.wanted == 5
    await world.pass_s(40, in_progress=1, issued=1)
    assert world.wanted == 5
    await world.pass_s(30, in_progress=1, issued=1)
    assert (world.wanted or 0) < 5


async def test_after_a_restart_idle_is_proven_by_reports(world: World) -> None:
    await world.start(5)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=1)
    await world.restart()
    await world.pass_s(25)
    assert world.wanted == 5
    await world.pass_s(10)
    assert (world.wanted, world.why.signal) == (0, "idle")


async def test_what_is_on_its_way_stays_when_it_is_started_again(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=1)
    await world.restart()  # four of them have not started yet
    await world.pass_s(10, in_progress=1, issued=1)
    assert world.wanted == 5


async def test_of_two_autoscalers_one_decides_and_the_other_goes_on(world: World) -> None:
    await world.start(5)
    await world.pass_s(5, in_progress=30, issued=1)
    other = Autoscaler(world.bus, clock=lambda: world.now, every_s=EVERY_S, member="autoscaler.other")
    await other.start()
    await world.pass_s(5, in_progress=60, issued=1)
    before = world.wanted
    assert (before, other.rounds) == (7, 0)
    await world.scaler.stop()
    world.scaler = other
    await world.pass_s(5, in_progress=1, issued=1)
    assert other.rounds > 0
    assert world.wanted == before  # it holds what there is until it has seen a window


async def test_a_new_revision_gets_as_many_as_the_one_before(world: World) -> None:
    await world.start(4)
    await world.until(lambda: world.wanted == 4, in_progress=28, issued=1)
    await world.live(1, revision=2)
    await world.until(lambda: 2 in world.desired.entries[KEY].value.instances)
    assert world.desired.entries[KEY].value.instances == {2: 4}


async def test_an_edit_counts_at_the_next_decision(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
    await world.live(5)
    await world.edit(max_instances=3)
    await world.until(lambda: world.wanted == 3, in_progress=30, issued=5)
    assert (world.why.signal, world.why.threshold) == ("maximum", 3.0)
    await world.edit(max_instances=9, target_utilization=0.4)
    await world.until(lambda: world.wanted == 8, in_progress=30, issued=5)
    await world.edit(min_instances=9)
    await world.until(lambda: world.wanted == 9, in_progress=30, issued=5)
    assert (world.why.before, world.why.to, world.why.signal) == (8, 9, "minimum")


async def test_a_sleeping_function_gets_its_new_minimum(world: World) -> None:
    await world.start(0)
    await world.looked()
    assert KEY not in world.scaler._awake
    await world.edit(min_instances=2)
    await world.until(lambda: world.wanted == 2)
    await world.live(2)
    await world.pass_s(100)
    assert KEY not in world.scaler._awake
    await world.edit(min_instances=0)  # nobody has called for longer than idle_s
    await world.pass_s(1)
    assert world.wanted == 0


async def test_a_scheduled_minimum_comes_and_goes(world: World) -> None:
    world.now = 1_772_438_400.0 - 30  # 30 s before 8:00 on a Monday
    every = ScheduledMinimum("0 8 * * MON-FRI", 3, 60.0)
    world.record = replace(
        world.record, spec=replace(world.record.spec, scaling=Scaling(idle_s=10.0, schedule=(every,)))
    )
    await world.start(0)
    await world.pass_s(20)
    assert not world.wanted
    await world.pass_s(11)
    assert (world.wanted, world.why.signal, world.why.threshold) == (3, "schedule", 3.0)
    await world.live(3)
    await world.pass_s(61)
    assert (world.wanted, world.why.signal) == (0, "idle")


async def test_a_scale_request_is_done_at_once_and_only_once(world: World) -> None:
    await world.start(2)
    await world.until(lambda: (world.wanted or 0) >= 1, in_progress=12, issued=1)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now + 1)))
    world.now += 2
    await world.until(lambda: world.wanted == 0)
    assert (world.why.signal, world.why.to) == ("asked-for", 0)
    await world.live(0)
    # calls come again: the load decides from now on, also after a restart
    await world.until(lambda: (world.wanted or 0) >= 1, waiting=1)
    await world.live(1)
    await world.restart()
    await world.pass_s(1, in_progress=1)
    assert world.wanted == 1


async def test_calls_that_come_keep_nothing_that_was_asked_to_go(world: World) -> None:
    await world.start(3)
    await world.pass_s(3, in_progress=12, issued=5)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now)))
    await world.until(lambda: world.wanted == 0, in_progress=12, waiting=9)
    await world.pass_s(5, in_progress=12, waiting=9)  # the manager has not looked yet
    assert world.wanted == 0
    await world.live(0)
    await world.until(lambda: (world.wanted or 0) >= 1, waiting=9)


async def test_what_still_runs_after_none_were_asked_for_asks_for_none(world: World) -> None:
    await world.start(1)
    await world.pass_s(3, in_progress=3, issued=3)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now)))
    await world.until(lambda: world.wanted == 0, in_progress=3)
    await world.live(0)
    await world.pass_s(20, in_progress=3)  # at an instance that drains
    assert world.wanted == 0
    await world.pass_s(5)  # it has gone
    assert world.wanted == 0
    await world.until(lambda: (world.wanted or 0) >= 1, waiting=1)


async def test_a_request_that_came_during_a_decision_is_not_lost(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=1)
    await world.scaler.stop()
    earlier = world.desired.entries[KEY].value.decided_at - 0.5
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(2, earlier)))
    await world.restart()
    await world.until(lambda: world.wanted == 2, in_progress=1)


async def test_nothing_remembered_of_the_load_before_a_scale_request(world: World) -> None:
    await world.start(1)
    await world.until(lambda: (world.wanted or 0) >= 4, in_progress=30, issued=9)
    await world.functions.put(KEY, replace(world.record, scale=ScaleRequest(0, world.now + 1)))
    world.now += 2
    await world.until(lambda: world.wanted == 0)
    await world.pass_s(3)
    assert world.wanted == 0


async def test_every_decision_that_changes_something_is_published(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
    await world.live(5)
    world.now += 200
    await world.until(lambda: world.wanted == 0)
    await world.looked()
    told = [(subject, scale.decisions[1]) for subject, scale in world.published]
    assert {subject for subject, _ in told} == {f"ffx.scale.{KEY}"}
    assert [(one.before, one.to, one.signal) for _, one in told] == [(1, 5, "concurrency"), (5, 0, "idle")]
    first = told[0][1]
    assert (first.value, first.threshold, first.unit) == (30.0, 7.0, "calls")
    assert first.reason == "30.0 calls at once over 60 s, 7 per instance"


async def test_each_of_two_revisions_has_its_own_decision(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    one = RevisionRoute(Limits(concurrency=10), (Endpoint("i-1", "unix:/nowhere/1"),))
    two = RevisionRoute(Limits(concurrency=10), (Endpoint("i-2", "unix:/nowhere/2"),))
    await world.routes.put(KEY, FunctionRoute("u1", "private", {1: 50, 2: 50}, {1: one, 2: two}))
    await world.edit(min_instances=3)
    await world.until(lambda: world.desired.entries[KEY].value.instances == {1: 3, 2: 3})
    assert {number: one.to for number, one in world.desired.entries[KEY].value.decisions.items()} == {1: 3, 2: 3}
    assert len(world.published) == 2


async def test_a_deleted_function_is_forgotten(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.functions.delete(KEY)
    await world.routes.delete(KEY)
    await world.until(lambda: not world.scaler._intake.watched)
    await world.report(issued=1)  # a late one
    await world.looked()
    assert not world.scaler._intake.watched
    assert not world.scaler._awake


async def test_what_rests_is_not_remembered_nor_looked_at(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
    world.now += 200
    await world.until(lambda: world.wanted == 0)
    await world.live(0)
    await world.until(lambda: not world.scaler._intake.watched and not world.scaler._awake)


async def test_idle_minimum_instances_cost_nothing_either(world: World) -> None:
    world.record = replace(world.record, spec=replace(world.record.spec, scaling=Scaling(idle_s=5.0, min_instances=2)))
    await world.start(2)
    await world.pass_s(8)
    assert not world.scaler._awake
    assert world.wanted == 2
    await world.until(lambda: (world.wanted or 0) >= 5, in_progress=40, issued=1)


async def test_what_nobody_calls_is_not_looked_at_until_it_is_idle(world: World) -> None:
    world.record = replace(world.record, spec=replace(world.record.spec, scaling=Scaling(idle_s=300.0)))
    await world.start(1)
    await world.pass_s(10, in_progress=3, issued=1)
    await world.pass_s(65)
    assert KEY not in world.scaler._awake
    await world.pass_s(1, in_progress=1)
    assert KEY in world.scaler._awake
    await world.pass_s(290)
    assert KEY not in world.scaler._awake
    assert world.wanted == 1
    await world.pass_s(12)
    assert (world.wanted, world.why.signal) == (0, "idle")


async def test_a_revision_that_is_not_kept_is_forgotten(world: World) -> None:
    await world.start(1)
    await world.until(lambda: world.wanted == 1)
    await world.live(1, revision=2)
    await world.until(lambda: set(world.scaler._intake.watched.get(KEY, {})) == {2})


async def test_an_unreadable_report_harms_nobody(world: World) -> None:
    await world.start(1)
    for subject in (LOAD_SUBJECT, CALLS_SUBJECT, USAGE_SUBJECT):
        await world.bus.publish(subject, b'{"member": 7}')
    await world.until(lambda: world.wanted == 5, in_progress=30, issued=5)
