"""Series of figures, and what they say."""

from __future__ import annotations

import pytest

from faasioflex.api.figures import COARSE_S, FINE_S, Figures, Ring
from faasioflex.api.window import point, window
from faasioflex.model.durations import bucket_of


def test_a_window_says_shares_and_percentiles() -> None:
    sums = Figures(
        answered=100,
        errors=5,
        durations={bucket_of(20): 100},
        classes={2: 90, 4: 5, 5: 5},
        cold_starts=2,
        start_durations={bucket_of(30): 1, bucket_of(400): 1},
        cpu_s=3.0,
        cache_hits=3,
        cache_misses=1,
        refused=4,
    )
    found = window(sums, 60.0, 50.0, 30.0)
    assert (found.calls_per_s, found.error_rate, found.cpu) == (2.0, 0.05, 0.1)
    assert found.answers == {"2xx": 90, "3xx": 0, "4xx": 5, "5xx": 5}
    assert found.cold_start_p50_ms
    assert found.cold_start_p95_ms
    assert 30 <= found.cold_start_p50_ms < 36
    assert 400 <= found.cold_start_p95_ms < 500
    assert (found.cache_hit_ratio, found.refused) == (0.75, 4)
    nothing = window(Figures(), 60.0, 60.0, 0.0)
    assert (nothing.cache_hit_ratio, nothing.cpu, nothing.cold_start_p95_ms) == (None, None, None)


def test_a_series_has_each_call_in_its_step_and_none_twice() -> None:
    ring = Ring()
    for at in range(0, 80, 2):
        ring.add(1000.0 + at, Figures(answered=1, most={"instances": float(at)}))
    steps = ring.steps(1020.0, 1080.0, 10.0)
    assert len(steps) == 6
    assert [step.answered for step in steps] == [4, 5, 5, 5, 5, 5], (
        "what was told at the first moment is of the step before"
    )
    assert sum(step.answered for step in steps) == ring.since(1020.0, 1080.0).answered
    assert ring.count(1020.0, 1080.0, "answered") == ring.since(1020.0, 1080.0).answered
    assert [step.most["instances"] for step in steps] == [28, 38, 48, 58, 68, 78]
    assert point(steps[1], 10.0)["calls_per_s"] == 0.5
    assert point(Figures(), 10.0)["memory_bytes"] == 0


def test_a_long_series_is_by_the_minute_and_loses_none() -> None:
    ring = Ring()
    for at in range(0, 1200, 2):
        ring.add(6000.0 + at, Figures(answered=1))
    now = 7198.0
    steps = ring.steps(now - 600, now, COARSE_S)
    assert len(steps) == 10
    assert sum(step.answered for step in steps) == ring.since(now - 600, now).answered
    assert max(step.answered for step in steps) <= 2 * COARSE_S / 2


@pytest.mark.parametrize("step_s", [2.0, 7.0, 90.0])
def test_the_number_of_steps_is_what_the_window_has_room_for(step_s: float) -> None:
    assert len(Ring().steps(0.0, FINE_S, step_s)) == -(-FINE_S // step_s)


def test_reports_of_the_same_moment_are_one_record() -> None:
    ring = Ring()
    for at in (10.0, 10.5, 11.9, 12.0):
        ring.add(at, Figures(answered=1))
    assert len(ring) == 2
    assert ring.since(11.95, 13.0).answered == 1
