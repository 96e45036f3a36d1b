"""Latency and memory: instances are added as long as that helps, against small models of functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from faasioflex.autoscaler.decide import decide
from faasioflex.autoscaler.samples import Means, Memory, Policy, Samples
from faasioflex.autoscaler.signals.stepwise import AGAIN_S
from faasioflex.model.function import Limits, Scaling

POLICY = Policy(Scaling(max_instances=20, latency_p95_ms=100.0), Limits(concurrency=10))


def run(
    figure: Callable[[int, int], Samples], seconds: int, kept: Memory | None = None, instances: int = 1, start: int = 0
) -> tuple[list[int], Memory]:
    """Instances by second; ``figure(instances, second)`` is what is measured. New instances count the second after."""
    memory, seen, known_after = kept or Memory(), [], 0
    for second in range(start, start + seconds):
        samples = replace(figure(instances, second), instances=instances, desired=instances, memory=memory)
        if second < known_after:
            samples = replace(samples, p95_ms=None, memory_share=None)
        decided = decide(samples, POLICY, float(second))
        memory = decided.memory
        if decided.instances != instances:
            instances, known_after = decided.instances, second + 5
        seen.append(instances)
    return seen, memory


def called(**figures: object) -> Samples:
    return replace(Samples(at_once=Means(2.0, 2.0)), **figures)  # type: ignore[arg-type]


def test_latency_that_falls_with_more_instances_gets_them_until_it_is_below() -> None:
    seen, _ = run(lambda instances, _: called(p95_ms=600.0 / instances), 200)
    assert seen[-1] in (6, 7)
    assert seen == sorted(seen)
    assert len(set(seen[100:])) == 1


def test_what_was_added_goes_again_slowly_when_it_is_not_needed() -> None:
    seen, _ = run(lambda instances, second: called(p95_ms=(600.0 if second < 100 else 60.0) / instances), 900)
    assert seen[99] >= 6
    assert seen[-1] == 1
    steps = [later - earlier for earlier, later in pairwise(seen[100:]) if later != earlier]
    assert set(steps[:-1]) <= {-1}


def test_a_function_that_is_slow_by_itself_gets_one_more_and_then_none() -> None:
    seen, memory = run(lambda *_: called(p95_ms=500.0), 500)
    assert max(seen) == 2
    assert seen[-1] == 1
    assert memory.latency is not None
    assert memory.latency.given_up_at is not None
    seen, _ = run(lambda *_: called(p95_ms=500.0), int(AGAIN_S), memory, start=500)
    assert max(seen) == 2  # it is tried again once in ten minutes


def test_it_is_tried_again_at_once_when_it_gets_worse() -> None:
    _, memory = run(lambda *_: called(p95_ms=500.0), 100)
    seen, _ = run(lambda instances, _: called(p95_ms=2000.0 / instances), 300, memory, start=100)
    assert seen[-1] >= 15


def test_memory_that_every_instance_holds_does_not_walk_to_the_maximum() -> None:
    seen, _ = run(lambda *_: called(memory_share=0.93), 500)
    assert max(seen) == 2
    assert seen[-1] == 1


def test_memory_of_calls_is_shared_by_more_instances() -> None:
    seen, _ = run(lambda instances, _: called(memory_share=0.3 + 2.0 / instances), 500)
    assert seen[-1] in (4, 5)


def test_memory_counts_only_while_calls_run() -> None:
    seen, _ = run(lambda *_: Samples(memory_share=0.99, idle_s=30.0), 100)
    assert set(seen) == {1}


def test_instances_that_do_not_come_are_not_asked_for_for_ever() -> None:
    kept = Memory()
    for second in range(200):
        samples = replace(called(p95_ms=500.0), instances=3, desired=3, memory=kept)
        kept = decide(samples, POLICY, float(second)).memory
    assert kept.latency is not None
    assert kept.latency.given_up_at is not None
