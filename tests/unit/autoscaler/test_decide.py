"""decide(): tables, the clock is a number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faasioflex.autoscaler.decide import decide
from faasioflex.autoscaler.samples import Means, Memory, Policy, Samples
from faasioflex.model.function import Limits, Scaling

NOW = 5000.0
POLICY = Policy(Scaling(max_instances=10, idle_s=60.0), Limits(concurrency=10))  # 7 calls at once each
CALM = Samples(instances=1, desired=1, idle_s=10.0)


def busy(stable: float, panic: float | None = None, instances: int = 1, **more: object) -> Samples:
    means = Means(stable, stable if panic is None else panic)
    return replace(CALM, at_once=means, instances=instances, desired=instances, idle_s=None, **more)  # type: ignore[arg-type]


def scaling(**changes: object) -> Policy:
    return replace(POLICY, scaling=replace(POLICY.scaling, **changes))  # type: ignore[arg-type]


PANIC = Memory(panicking_until=NOW + 9, panic_instances=6)


@pytest.mark.parametrize(
    ("what", "samples", "policy", "instances", "signal"),
    [
        ("called a while ago: one stays", CALM, POLICY, 1, "concurrency"),
        ("idle long enough: none", replace(CALM, idle_s=61.0), POLICY, 0, "idle"),
        ("whatever was before", replace(busy(9.0), idle_s=61.0, memory=PANIC), POLICY, 0, "idle"),
        ("idle, but calls wait in the queue", replace(CALM, idle_s=61.0, queued=1), POLICY, 1, "queue"),
        ("a call runs: one", busy(0.5), POLICY, 1, "concurrency"),
        ("load for three", busy(20.0, instances=3), POLICY, 3, "concurrency"),
        ("load fell a little below the boundary", busy(20.5, instances=4), POLICY, 4, "concurrency"),
        ("load fell below the boundary", busy(19.5, instances=4), POLICY, 3, "concurrency"),
        ("load fell: half of them at once", busy(6.0, instances=5), POLICY, 2, "concurrency"),
        ("never above max", busy(900.0, instances=5), POLICY, 10, "concurrency"),
        ("max was lowered", busy(60.0, instances=9), scaling(max_instances=4), 4, "maximum"),
        ("a burst: the short window decides", busy(2.0, 42.0), POLICY, 6, "concurrency"),
        ("less than twice: it does not", busy(14.0, 20.0, instances=2), POLICY, 2, "concurrency"),
        ("blind: stays", replace(CALM, idle_s=900.0, instances=4, blind=True), POLICY, 4, "blind"),
        ("blind: what starts stays too", replace(CALM, instances=1, desired=4, blind=True), POLICY, 4, "blind"),
        ("blind, but what is seen asks for more", busy(20.0, instances=2, blind=True), POLICY, 3, "concurrency"),
        ("no report of CPU: stays", busy(1.0, instances=4, usage_lost=True), POLICY, 4, "blind"),
        ("nobody looks at CPU", busy(1.0, instances=2, usage_lost=True), scaling(cpu_percent=None, memory_percent=None), 1, "concurrency"),
        ("in panic never down", busy(1.0, instances=6, memory=PANIC), POLICY, 6, "concurrency"),
        ("panic is over", busy(1.0, instances=2, memory=Memory(NOW - 1, 9)), POLICY, 1, "concurrency"),
        ("calls wait and nothing runs", busy(1.0, instances=0), POLICY, 1, "concurrency"),
        ("calls wait for long: room for them", busy(8.0, 12.0, pressed=60), POLICY, 9, "waiting"),
        ("some wait for a moment", busy(8.0, 12.0, waiting=9, crowd=19), POLICY, 2, "concurrency"),
        ("more wait than there is room for", busy(8.0, 8.0, waiting=50, crowd=60), POLICY, 9, "waiting"),
        ("from zero: room for all", busy(1.0, instances=0, waiting=30, crowd=30), POLICY, 5, "waiting"),
        ("they have room by now", busy(8.0, 12.0, instances=9, pressed=60), POLICY, 4, "concurrency"),
        ("idle stays idle", replace(CALM, instances=0, desired=0), POLICY, 0, "concurrency"),
        ("from zero: activation", replace(busy(1.0, instances=0), desired=0), scaling(activation_instances=3), 3, "concurrency"),
        ("woken: activation", replace(busy(1.0), desired=0), scaling(activation_instances=3), 3, "concurrency"),
        ("not from zero: no activation", busy(1.0), scaling(activation_instances=3), 1, "concurrency"),
        ("rate: 7 a second each", busy(0.1, rate=Means(20.0, 20.0)), scaling(metric="rate", target=10.0), 3, "rate"),
        ("a target of its own", busy(6.0), scaling(target=2.0), 5, "concurrency"),
        ("slowly up", busy(60.0, instances=2), scaling(max_up_rate=1.5), 3, "concurrency"),
        ("slowly down", busy(0.0, instances=9), scaling(max_down_rate=1.5), 6, "concurrency"),
        ("fast down", busy(0.0, instances=9), scaling(max_down_rate=1000.0), 1, "concurrency"),
        ("CPU", busy(1.0, instances=2, cpu_used=Means(1.0, 3.0)), POLICY, 4, "cpu"),
        ("CPU of one, and the second has just come", busy(1.0, instances=2, cpu_used=Means(1.0, 1.0)), POLICY, 2, "cpu"),
        ("CPU at the threshold", busy(1.0, instances=2, cpu_used=Means(1.6, 1.6)), POLICY, 2, "cpu"),
        ("CPU a little below it", busy(1.0, instances=4, cpu_used=Means(2.28, 2.28)), POLICY, 4, "cpu"),
        ("CPU far below it", busy(1.0, instances=4, cpu_used=Means(0.8, 0.8)), POLICY, 2, "cpu"),
        ("CPU is not looked at", busy(1.0, instances=2, cpu_used=Means(4.0, 4.0)), scaling(cpu_percent=None), 1, "concurrency"),
        ("queue", busy(1.0, instances=2, queued=401), POLICY, 5, "queue"),
        ("queue is not looked at", busy(1.0, queued=401), scaling(queue_per_instance=None), 1, "concurrency"),
        ("the largest wins", busy(20.0, instances=2, queued=250, cpu_used=Means(3.2, 3.2)), POLICY, 4, "cpu"),
        ("minimum", replace(CALM, idle_s=900.0), scaling(min_instances=2), 2, "minimum"),
        ("minimum, not of what serves no more", replace(CALM, idle_s=900.0), replace(scaling(min_instances=2), serves=False), 0, "idle"),
        ("schedule", replace(CALM, idle_s=900.0), replace(scaling(min_instances=1), scheduled=3), 3, "schedule"),
        ("held", busy(1.0, instances=4, memory=Memory(held=3, held_until=NOW + 1)), POLICY, 3, "concurrency"),
        ("held no more", busy(1.0, instances=4, memory=Memory(held=3, held_until=NOW)), POLICY, 2, "concurrency"),
        ("held, but idle is proven", replace(CALM, idle_s=60.0, memory=Memory(held=3, held_until=NOW + 1)), POLICY, 0, "idle"),
    ],
)  # fmt: skip
def test_decisions(what: str, samples: Samples, policy: Policy, instances: int, signal: str) -> None:
    decided = decide(samples, policy, NOW)
    assert (decided.instances, decided.why.signal) == (instances, signal), (what, decided)


def test_a_lone_call_needs_one_instance_of_one_call_and_two_calls_need_room_to_spare() -> None:
    single = Policy(Scaling(max_instances=10), Limits(concurrency=1))
    assert [decide(busy(load), single, NOW).instances for load in (0.3, 1.0, 1.3, 1.5, 7.0)] == [1, 1, 2, 3, 10]


def test_panic_lasts_for_a_stable_window_after_the_last_reason_for_it() -> None:
    burst = decide(busy(2.0, 42.0), POLICY, NOW)
    assert burst.memory.panicking_until == NOW + 60.0
    later = replace(busy(1.0, instances=6), memory=burst.memory)
    assert decide(later, POLICY, NOW + 59.0).instances == 6
    over = decide(later, POLICY, NOW + 61.0)
    assert (over.instances, over.memory.panicking_until) == (3, None)
    again = decide(replace(busy(20.0, 80.0, instances=6), memory=burst.memory), POLICY, NOW + 30.0)
    assert (again.instances, again.memory.panicking_until) == (10, NOW + 90.0)


def test_room_for_waiting_calls_stays_until_the_panic_window_has_seen_them() -> None:
    backlog = decide(busy(8.0, 12.0, pressed=60), POLICY, NOW)
    assert (backlog.instances, backlog.memory.panic_instances) == (9, 2)
    later = replace(busy(8.0, 20.0, instances=9), memory=backlog.memory)
    assert decide(later, POLICY, NOW + 11).instances == 9
    assert decide(later, POLICY, NOW + 13).instances == 4  # half of them; then what the panic's mean asks for
    assert decide(replace(later, instances=4, desired=4), POLICY, NOW + 14).instances == 3


def test_the_threshold_and_the_windows_of_panic_are_settings() -> None:
    assert decide(busy(2.0, 20.0), scaling(panic_threshold_percent=400.0), NOW).instances == 1
    assert decide(busy(2.0, 20.0), scaling(panic_threshold_percent=300.0), NOW).instances == 3
    reason = decide(busy(2.0, 42.0), scaling(stable_window_s=30.0, panic_window_percent=20.0), NOW).why.reason
    assert reason == "42.0 calls at once over 6 s, 7 per instance (panic)"


def test_fewer_only_when_fewer_were_enough_for_the_whole_cooldown() -> None:
    policy = scaling(cooldown_s=30.0, max_down_rate=1000.0)
    kept, seen = Memory(), []
    for second, load in [(0, 50.0), (10, 30.0), (20, 10.0), (29, 1.0), (31, 1.0), (41, 1.0), (51, 1.0), (58, 45.0)]:
        decided = decide(busy(load, instances=8, memory=kept), policy, NOW + second)
        kept = decided.memory
        seen.append(decided.instances)
    assert seen == [8, 8, 8, 8, 5, 2, 1, 7]


def test_to_zero_not_before_the_cooldown() -> None:
    policy = scaling(idle_s=10.0, cooldown_s=100.0)
    kept = decide(busy(5.0), policy, NOW).memory
    assert decide(replace(CALM, idle_s=50.0, memory=kept), policy, NOW + 50).instances == 1
    assert decide(replace(CALM, idle_s=101.0, memory=kept), policy, NOW + 101).instances == 0


def test_what_was_activated_stays_for_a_window() -> None:
    policy = scaling(activation_instances=4)
    woken = decide(replace(busy(1.0), desired=0), policy, NOW)
    later = busy(1.0, instances=4, memory=woken.memory)
    assert decide(later, policy, NOW + 59).instances == 4
    assert decide(later, policy, NOW + 61).instances == 2


def test_a_decision_says_signal_value_threshold_and_unit() -> None:
    why = decide(busy(20.0), POLICY, NOW).why
    assert (why.signal, why.value, why.threshold, why.unit) == ("concurrency", 20.0, 7.0, "calls")
    assert why.reason.startswith("20.0 calls at once over 6")
    why = decide(busy(1.0, instances=2, cpu_used=Means(2.0, 2.0)), POLICY, NOW).why
    assert (why.value, why.threshold, why.unit) == (100.0, 80.0, "percent")
    assert why.reason == "the instances use 100 % of their CPU, 80 % is the threshold"
    why = decide(replace(CALM, idle_s=90.0), POLICY, NOW).why
    assert (why.value, why.threshold, why.unit, why.reason) == (90.0, 60.0, "seconds", "no call for 60 s")
    why = decide(busy(900.0, instances=9), POLICY, NOW).why
    assert why.reason.endswith("; at most 10 (max_instances)")
