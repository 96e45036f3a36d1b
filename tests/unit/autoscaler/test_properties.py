"""Properties of decide() for any input, and of whole courses of load."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.autoscaler.decide import decide
from faasioflex.autoscaler.samples import Means, Memory, Policy, Samples
from faasioflex.autoscaler.windows import Window
from faasioflex.model.function import Limits, Scaling

NOW = 5000.0
means = st.builds(Means, st.floats(0, 1e4), st.floats(0, 1e4))
memories = st.builds(
    Memory,
    panicking_until=st.one_of(st.none(), st.floats(NOW - 100, NOW + 100)),
    panic_instances=st.integers(0, 30),
    held=st.integers(0, 30),
    held_until=st.floats(NOW - 50, NOW + 50),
)
samples = st.builds(
    Samples,
    at_once=means,
    rate=means,
    waiting=st.integers(0, 200),
    crowd=st.integers(0, 300),
    pressed=st.integers(0, 300),
    queued=st.integers(0, 1000),
    p95_ms=st.one_of(st.none(), st.floats(0, 1e4)),
    cpu_used=st.one_of(st.none(), st.builds(Means, st.floats(0, 60), st.floats(0, 60))),
    memory_share=st.one_of(st.none(), st.floats(0, 1)),
    instances=st.integers(0, 50),
    desired=st.one_of(st.none(), st.integers(0, 50)),
    idle_s=st.one_of(st.none(), st.floats(0, 1e5)),
    blind=st.booleans(),
    usage_lost=st.booleans(),
    memory=memories,
)
policies = st.builds(
    Policy,
    st.builds(
        Scaling,
        min_instances=st.integers(0, 5),
        max_instances=st.integers(5, 20),
        metric=st.sampled_from(("concurrency", "rate")),
        target=st.floats(0.5, 100),
        idle_s=st.floats(1, 1e4),
        latency_p95_ms=st.one_of(st.none(), st.floats(1, 1000)),
        cooldown_s=st.floats(0, 100),
        max_up_rate=st.floats(1.1, 1000),
        max_down_rate=st.floats(1.1, 1000),
        activation_instances=st.integers(1, 20),
    ),
    st.builds(Limits, concurrency=st.integers(1, 100)),
    scheduled=st.integers(0, 5),
)
few = settings(max_examples=150, deadline=None)


@few
@given(samples, policies)
def test_always_within_bounds(seen: Samples, policy: Policy) -> None:
    decided = decide(seen, policy, NOW).instances
    assert max(policy.scaling.min_instances, policy.scheduled) <= decided <= policy.scaling.max_instances


@few
@given(samples, policies)
def test_blind_never_scales_down(seen: Samples, policy: Policy) -> None:
    there = max(seen.instances, seen.desired or 0)
    assert decide(replace(seen, blind=True), policy, NOW).instances >= min(there, policy.most)


@few
@given(samples, policies)
def test_never_faster_than_allowed(seen: Samples, policy: Policy) -> None:
    seen = replace(seen, memory=Memory(), desired=seen.instances)
    decided, ready = decide(seen, policy, NOW), max(seen.instances, 1)
    if not decided.idle and decided.why.signal not in ("minimum", "maximum", "schedule"):
        up = max(policy.scaling.max_up_rate * ready + 1, policy.scaling.activation_instances, seen.instances)
        assert decided.instances <= up
        assert decided.instances >= min(int(ready / policy.scaling.max_down_rate), policy.most)


@few
@given(samples, policies, st.floats(0, 1e4), st.integers(0, 500))
def test_more_load_never_asks_for_less(seen: Samples, policy: Policy, more: float, queued: int) -> None:
    seen = replace(seen, idle_s=None)
    at_once = Means(seen.at_once.stable + more, seen.at_once.panic + more)
    rate = Means(seen.rate.stable + more, seen.rate.panic + more)
    loaded = replace(seen, at_once=at_once, rate=rate, queued=seen.queued + queued)
    before, after = decide(seen, policy, NOW), decide(loaded, policy, NOW)
    if before.memory.memory == after.memory.memory:  # memory counts only while calls run, and then may give up
        assert after.instances >= before.instances


@few
@given(samples, policies)
def test_the_same_input_gives_the_same_decision(seen: Samples, policy: Policy) -> None:
    assert decide(seen, policy, NOW) == decide(seen, policy, NOW)


@pytest.mark.parametrize("mean", [3.0, 7.0, 9.0, 21.0, 31.0, 49.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_noisy_constant_load_does_not_flap(mean: float, seed: int) -> None:
    """Calls at once of a Poisson process, for ten minutes: the count changes a few times, by one."""
    chance, window = random.Random(seed), Window()
    policy = Policy(Scaling(max_instances=50), Limits(concurrency=10))
    instances, kept, seen = max(round(mean / 7 + 0.5), 1), Memory(), []
    for second in range(660):
        for _ in range(2):
            window.add(float(second), chance.gauss(mean, mean**0.5), 60.0)
        now = Means(window.mean(second, 60.0), window.mean(second, 6.0))
        decided = decide(Samples(now, instances=instances, desired=instances, memory=kept), policy, float(second))
        instances, kept = decided.instances, decided.memory
        seen.append(instances)
    settled = seen[60:]
    changes = sum(1 for before, after in pairwise(settled) if before != after)
    assert changes <= 4
    assert max(settled) - min(settled) <= 1
