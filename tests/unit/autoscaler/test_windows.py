"""Means and rates over the last seconds."""

from __future__ import annotations

from faasioflex.autoscaler.windows import Counter, Durations, Window
from faasioflex.model.durations import bucket_of, percentile


def test_a_window_forgets_and_keeps_bounded_memory() -> None:
    window = Window()
    for tick in range(10_000):
        window.add(tick * 0.01, 1.0, 6.0)
    window.add(100.0, 5.0, 6.0)
    assert len(window._means) <= 7
    assert window.mean(200.0, 6.0) == 0.0


def test_a_second_with_many_figures_weighs_as_one() -> None:
    window = Window()
    for _ in range(100):
        window.add(1.0, 10.0, 60.0)
    window.add(2.5, 0.0, 60.0)
    assert window.mean(3.0, 60.0) == 5.0


def test_the_short_mean_is_of_the_newest() -> None:
    window = Window()
    for second in range(60):
        window.add(float(second), 0.0 if second < 54 else 10.0, 60.0)
    assert window.mean(59.5, 6.0) == 10.0
    assert window.mean(59.5, 60.0) == 1.0


def test_a_clock_that_is_set_back_begins_anew() -> None:
    window, counter = Window(), Counter()
    for second in (1000, 1001, 400, 401):
        window.add(float(second), float(second), 60.0)
        counter.add(float(second), 5, 60.0)
    assert window.mean(401.0, 60.0) == 400.5
    assert counter.per_s(401.0, 60.0) == 5.0


def test_a_rate_counts_from_the_first_figure_and_over_the_window() -> None:
    counter = Counter()
    for second in range(11):
        counter.add(float(second), 20, 60.0)
    assert counter.per_s(10.0, 60.0) == 20.0
    assert counter.per_s(12.0, 6.0) == 20 * 4 / 6
    assert counter.per_s(100.0, 6.0) == 0.0
    assert Counter().per_s(5.0, 6.0) == 0.0


def test_durations_since_the_last_change_and_not_much_older_than_kept() -> None:
    durations = Durations()
    durations.restart(0.0)
    durations.add(1.0, {bucket_of(500): 10}, 60.0)
    durations.add(59.0, {bucket_of(500): 10}, 60.0)
    assert sum(durations.counts(60.0, 60.0).values()) == 20
    durations.add(100.0, {bucket_of(5): 100}, 60.0)
    assert (percentile(durations.counts(119.0, 60.0), 0.95) or 0) > 400
    assert (percentile(durations.counts(121.0, 60.0), 0.95) or 0) < 10
    durations.restart(122.0)
    assert durations.counts(122.0, 60.0) == {}
