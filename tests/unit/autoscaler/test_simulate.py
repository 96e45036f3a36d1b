"""bench/simulate: short traces through our policy and Knative's."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from bench.simulate import azure
from bench.simulate.course import Simulation
from bench.simulate.figures import figures
from bench.simulate.knative import Knative
from bench.simulate.policies import Ours, Scaler
from bench.simulate.trace import Trace, poisson, shapes

from faasioflex.model.function import Scaling


def ours(idle_s: float = 300.0) -> Scaler:
    return Ours(Scaling(max_instances=50, idle_s=idle_s), 10)


def knative() -> Scaler:
    return Knative(10, 50)


BUSY = Trace("busy", tuple((second / 10, 1.0) for second in range(100, 2000)), 300.0)  # ten calls at once


@pytest.mark.parametrize("make", [ours, knative])
def test_a_steady_load_gets_what_it_needs_and_every_call_is_answered(make: object) -> None:
    course = Simulation(BUSY, make(), 0.5).run()  # type: ignore[operator]
    assert course.calls == len(course.waits) == len(BUSY.calls)
    assert set(course.ready[100:190]) == {2}
    assert course.cold == 5  # those of the first half second
    assert max(course.waits) <= 0.51


def test_to_zero_when_the_policy_says_so() -> None:
    short = Simulation(BUSY, ours(idle_s=30.0), 0.5).run()
    assert (short.ready[220], short.ready[240]) == (1, 0)
    assert Simulation(BUSY, ours(), 0.5).run().ready[-1] == 1
    assert Simulation(BUSY, knative(), 0.5).run().ready[270] == 0


def test_the_same_seed_gives_the_same_figures() -> None:
    def once(seed: int) -> object:
        trace = shapes(seed, 0.05)[0]
        return figures([Simulation(trace, ours(), 0.5).run()], trace.concurrency)

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_the_shape_of_azure_has_the_published_shares() -> None:
    shares = [azure.per_day(number / 1000) for number in range(1, 1000)]
    assert all(before < after for before, after in pairwise(shares))
    assert azure.per_day(0.45) == pytest.approx(24.0)
    assert azure.per_day(0.81) == pytest.approx(1440.0)
    assert math.log10(azure.per_day(1.0) / azure.per_day(0.0001)) == pytest.approx(8.0, abs=0.1)
    made = azure.functions(200, 6.0, seed=3)
    rare = sum(1 for trace in made if len(trace.calls) <= 6)
    often = sum(1 for trace in made if len(trace.calls) > 360)
    assert 0.35 < rare / 200 < 0.6
    assert 0.1 < often / 200 < 0.3


def test_capacity_error_counts_both_sides() -> None:
    import random

    trace = poisson("flat", lambda _: 60.0, 120.0, random.Random(1), most=60.0)
    course = Simulation(trace, ours(), 0.5).run()
    found = figures([course], 10)
    assert 0 < found["too_few"] < 0.1
    assert found["instance_s"] > found["needed_instance_s"] * (1 - found["too_few"])
