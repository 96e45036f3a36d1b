"""Metrics of functions out of what the parts tell over the bus, with a clock of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from faasioflex.api.figures import KEPT_S
from faasioflex.api.measures import Measures
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.durations import bucket_of
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    RevisionCalls,
    RevisionUsage,
    UsageReport,
)
from faasioflex.model.names import FunctionName
from support.deadline import eventually

HELLO = FunctionName("acme", "hello")
OTHER = FunctionName("acme", "other")


@dataclass
class World:
    """``uids``: the functions that there are."""

    bus: MemoryBus = field(default_factory=MemoryBus)
    now: float = 10_000.0
    uids: dict[FunctionName, str] = field(default_factory=lambda: {HELLO: "u1", OTHER: "u2"})

    async def calls(self, *told: RevisionCalls, source: str = "gateway") -> None:
        report = CallsReport(source, f"{source}.local", self.now, told)  # type: ignore[arg-type]
        await self._tell(CALLS_SUBJECT, encode(report))

    async def usage(self, *told: RevisionUsage, period_s: float = 5.0, member: str = "manager.local") -> None:
        await self._tell(USAGE_SUBJECT, encode(UsageReport(member, self.now, period_s, told)))

    async def nonsense(self) -> None:
        for subject in (CALLS_SUBJECT, USAGE_SUBJECT):
            await self._tell(subject, b"nonsense")

    async def _tell(self, subject: str, data: bytes) -> None:
        """Returns when it has been heard: handlers of a subject are begun in the order of their subscriptions."""
        heard: list[bytes] = []

        async def hear(_: str, got: bytes) -> None:
            heard.append(got)

        stop = await self.bus.subscribe(subject, hear)
        await self.bus.publish(subject, data)
        await eventually(lambda: heard, "it is heard")
        await stop()


def calls(answered: int, took_ms: float = 20.0, errors: int = 0, cold: int = 0, revision: int = 1) -> RevisionCalls:
    durations = {bucket_of(took_ms): answered} if answered else {}
    return RevisionCalls("acme", "hello", revision, answered, errors, durations, answered * took_ms, cold)


def usage(memory_bytes: int, cpu_s: float, revision: int = 1, name: str = "hello") -> RevisionUsage:
    return RevisionUsage("acme", name, revision, 1, memory_bytes, cpu_s)


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def measures(world: World) -> AsyncIterator[Measures]:
    made = Measures(world.bus, lambda: world.now, world.uids.get)
    await made.start()
    world.now += 600  # it has been there for a while
    yield made
    await made.stop()


async def test_a_function_that_nobody_called(world: World, measures: Measures) -> None:
    found = measures.over(HELLO, 60)
    assert (found.calls_per_s, found.error_rate, found.cold_starts, found.window_s) == (0, 0, 0, 60)
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.cpu, measures.memory_bytes(HELLO)) == (None,) * 5
    await world.usage()
    found = measures.over(HELLO, 60)
    assert (found.cpu, measures.memory_bytes(HELLO)) == (0, 0), "now it is known that it uses nothing"


async def test_gateway_and_invoker_and_all_revisions_are_added(world: World, measures: Measures) -> None:
    await world.calls(calls(60, 20), calls(30, 20, revision=2))
    await world.calls(calls(30, 300, errors=12, cold=2), source="invoker")
    found = measures.over(HELLO, 60)
    assert (found.calls_per_s, found.error_rate, found.cold_starts) == (2.0, 0.1, 2)
    assert found.p50_ms
    assert found.p95_ms
    assert 20 <= found.p50_ms < 22
    assert 300 <= found.p95_ms < 330
    assert measures.over(OTHER, 60).calls_per_s == 0


async def test_a_window_moves_on(world: World, measures: Measures) -> None:
    await world.calls(calls(100, cold=1))
    world.now += 30
    assert measures.over(HELLO, 60).calls_per_s == 100 / 60
    assert measures.over(HELLO, 20).calls_per_s == 0
    assert measures.over(HELLO, 1).window_s == 10, "shorter ones say little"
    world.now += 40
    assert measures.over(HELLO, 60).cold_starts == 0
    assert measures.over(HELLO, 300).cold_starts == 1


async def test_rates_are_of_what_was_seen_of_the_window(world: World, measures: Measures) -> None:
    fresh = Measures(world.bus, lambda: world.now, world.uids.get)
    await fresh.start()
    world.now += 20
    await world.calls(calls(100))
    assert fresh.over(HELLO, 60).calls_per_s == 5
    assert measures.over(HELLO, 60).calls_per_s == 100 / 60
    await fresh.stop()


async def test_cpu_is_a_mean_over_what_was_told_and_memory_is_the_last_word(world: World, measures: Measures) -> None:
    for _ in range(3):
        world.now += 5
        await world.usage(usage(1000, 1.0), usage(500, 0.5, revision=2), usage(7, 5.0, name="other"))
    assert measures.over(HELLO, 60).cpu == pytest.approx(0.3)
    assert measures.over(OTHER, 60).cpu == pytest.approx(1.0)
    assert (measures.memory_bytes(HELLO), measures.memory_bytes(OTHER)) == (1500, 7)
    world.now += 5
    await world.usage(usage(900, 0.0))
    assert measures.over(HELLO, 60).cpu == pytest.approx(4.5 / 20)
    assert (measures.memory_bytes(HELLO), measures.memory_bytes(OTHER)) == (900, 0)
    await world.usage(usage(50, 0.0), member="manager.second")
    assert measures.memory_bytes(HELLO) == 950
    world.now += 60
    assert measures.memory_bytes(HELLO) is None, "nobody has told for long"


async def test_a_name_that_is_taken_again_begins_anew_and_one_that_is_gone_is_not_kept(
    world: World, measures: Measures
) -> None:
    await world.calls(calls(10))
    del world.uids[HELLO]
    assert measures.over(HELLO, 60).calls_per_s == 0
    await world.calls(calls(10))
    assert not list(measures.totals())
    world.uids[HELLO] = "u9"
    assert measures.over(HELLO, 60).calls_per_s == 0
    await world.calls(calls(6))
    assert measures.over(HELLO, 60).calls_per_s == 0.1


async def test_totals_grow_and_go_an_hour_after_the_last_call_or_instance(world: World, measures: Measures) -> None:
    await world.calls(calls(10, errors=1))
    await world.calls(calls(10, cold=1))
    ((name, sums),) = measures.totals()
    assert (name, sums.answered, sums.errors, sums.cold_starts, sums.duration_sum_ms) == (HELLO, 20, 1, 1, 400)
    world.now += KEPT_S - 10
    await world.usage(usage(1, 2.5))
    world.now += KEPT_S - 10
    ((_, sums),) = measures.totals()
    assert (sums.answered, sums.cpu_s) == (20, 2.5)
    world.now += 20
    assert not list(measures.totals())


async def test_what_cannot_be_read_is_passed_over(world: World, measures: Measures) -> None:
    await world.nonsense()
    await world.calls(calls(60))
    assert measures.over(HELLO, 60).calls_per_s == 1
