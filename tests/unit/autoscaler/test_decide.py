"""decide() and the windows: tables and properties, the clock is a number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.autoscaler.decide import Policy, Samples, decide
from faasioflex.autoscaler.windows import Window
from faasioflex.model.function import Scaling

NOW = 5000.0
CALM = Samples(stable=0.0, panic=0.0, instances=1, idle_s=10.0, blind=False)
POLICY = Policy(Scaling(min_instances=0, max_instances=10, idle_s=60.0), concurrency=10)  # 7 calls at once each


@pytest.mark.parametrize(
    ("what", "samples", "instances"),
    [
        ("called a while ago: one stays", CALM, 1),
        ("idle long enough: none", replace(CALM, idle_s=61.0), 0),
        (
            "idle long enough: none, whatever was before",
            replace(CALM, idle_s=61.0, stable=9.0, panicking_until=NOW + 9),
            0,
        ),
        ("a call runs: one", replace(CALM, idle_s=None, stable=0.5), 1),
        ("load for three", replace(CALM, idle_s=None, stable=20.0, panic=20.0, instances=3), 3),
        ("load fell: down", replace(CALM, idle_s=None, stable=6.0, panic=6.0, instances=5), 1),
        ("never above max", replace(CALM, idle_s=None, stable=900.0, panic=900.0, instances=5), 10),
        ("a burst: the short window decides", replace(CALM, idle_s=None, stable=2.0, panic=42.0), 6),
        ("blind: nothing changes", replace(CALM, idle_s=900.0, instances=4, blind=True), 4),
        ("in panic never down", replace(CALM, idle_s=None, stable=1.0, instances=6, panicking_until=NOW + 9), 6),
        ("calls wait and nothing runs", replace(CALM, idle_s=None, stable=1.0, panic=1.0, instances=0), 1),
        ("idle stays idle", replace(CALM, instances=0), 0),
    ],
)
def test_decisions(what: str, samples: Samples, instances: int) -> None:
    assert decide(samples, POLICY, NOW).instances == instances, what


def test_min_instances_hold_without_calls() -> None:
    policy = Policy(Scaling(min_instances=2, max_instances=3, idle_s=1.0), concurrency=1)
    assert decide(replace(CALM, idle_s=1e6), policy, NOW).instances == 2


def test_panic_lasts_for_a_stable_window() -> None:
    burst = decide(replace(CALM, idle_s=None, panic=42.0), POLICY, NOW)
    assert burst.panicking_until == NOW + 60.0
    later = replace(CALM, idle_s=None, instances=6, panicking_until=burst.panicking_until)
    assert decide(later, POLICY, NOW + 59.0).instances == 6
    assert decide(later, POLICY, NOW + 61.0).instances == 1


def test_the_reason_names_signal_value_and_threshold() -> None:
    assert (
        decide(replace(CALM, idle_s=None, stable=20.0), POLICY, NOW).reason
        == "20.0 calls at once in 60 s, 7.0 per instance"
    )


samples = st.builds(
    Samples,
    stable=st.floats(0, 1e4),
    panic=st.floats(0, 1e4),
    instances=st.integers(0, 50),
    idle_s=st.one_of(st.none(), st.floats(0, 1e5)),
    blind=st.booleans(),
    panicking_until=st.one_of(st.none(), st.floats(NOW - 100, NOW + 100)),
)
policies = st.builds(
    Policy,
    st.builds(Scaling, min_instances=st.integers(0, 5), max_instances=st.integers(5, 20), idle_s=st.floats(1, 1e4)),
    st.integers(1, 100),
)


@given(samples, policies)
def test_always_within_bounds(seen: Samples, policy: Policy) -> None:
    decided = decide(seen, policy, NOW).instances
    assert policy.scaling.min_instances <= decided <= policy.scaling.max_instances


@given(samples, policies)
def test_blind_never_scales_down(seen: Samples, policy: Policy) -> None:
    decided = decide(replace(seen, blind=True), policy, NOW).instances
    assert decided >= min(seen.instances, policy.scaling.max_instances)


@given(samples, policies, st.floats(0, 1e4))
def test_more_load_never_asks_for_less(seen: Samples, policy: Policy, more: float) -> None:
    calm = replace(seen, panicking_until=None, panic=0.0)
    assert (
        decide(replace(calm, stable=calm.stable + more), policy, NOW).instances >= decide(calm, policy, NOW).instances
    )


def test_a_noisy_constant_load_does_not_flap() -> None:
    window, short, seen, instances = Window(60.0), Window(6.0), [], 3
    for second in range(600):
        load = 17.0 + (3.0 if second % 2 else -3.0)
        window.add(float(second), load)
        short.add(float(second), load)
        now = Samples(window.average(second), short.average(second), instances, None, blind=False)
        instances = decide(now, POLICY, float(second)).instances
        seen.append(instances)
    assert set(seen[60:]) == {3}


def test_a_window_forgets_and_keeps_constant_memory() -> None:
    window = Window(6.0)
    for tick in range(10_000):
        window.add(tick * 0.01, 1.0)
    window.add(100.0, 5.0)
    assert len(window._buckets) <= 7
    assert window.average(200.0) == 0.0


def test_a_second_with_many_samples_weighs_as_one() -> None:
    window = Window(6.0)
    for _ in range(100):
        window.add(1.0, 10.0)
    window.add(2.5, 0.0)
    assert window.average(3.0) == 5.0
