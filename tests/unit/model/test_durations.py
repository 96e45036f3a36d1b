"""Counts of durations: buckets, sums, percentiles."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.model.durations import BOUNDS_MS, add, bucket_of, edges, percentile, within

took = st.floats(min_value=0, max_value=3_599_999)


def counted(*durations_ms: float) -> dict[int, int]:
    counts: dict[int, int] = {}
    for each in durations_ms:
        add(counts, {bucket_of(each): 1})
    return counts


def test_bounds_grow_by_a_millisecond_then_by_at_most_a_seventh() -> None:
    assert BOUNDS_MS[:10] == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert BOUNDS_MS[-1] == 3_600_000
    for low, high in itertools.pairwise(BOUNDS_MS[9:]):
        assert low < high <= low * 1.14


@given(took)
def test_a_duration_lies_between_the_edges_of_its_bucket(ms: float) -> None:
    low, high = edges(bucket_of(ms))
    assert low <= ms < high


def test_what_lasts_longer_than_an_hour_is_an_hour() -> None:
    assert edges(bucket_of(10**9)) == (3_600_000, 3_600_000)
    assert percentile(counted(10**9), 0.5) == 3_600_000


def test_none_of_none() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({3: 0}, 0.5) is None


def test_it_is_interpolated_within_the_bucket() -> None:
    counts = {bucket_of(100): 4}
    low, high = edges(bucket_of(100))
    assert percentile(counts, 0.5) == (low + high) / 2
    assert percentile(counts, 1.0) == high
    assert percentile(counts, 0.0) == low


def test_a_few_slow_ones_show_in_the_last_percentile_only() -> None:
    counts = counted(*[20.5] * 98, *[900.0] * 2)
    assert 20 <= (percentile(counts, 0.5) or 0) < 22
    assert 20 <= (percentile(counts, 0.95) or 0) <= 22
    assert 900 <= (percentile(counts, 0.99) or 0) < 1000


@given(st.lists(took, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_it_is_in_the_bucket_of_the_true_one(durations_ms: list[float], share: float) -> None:
    ordered = sorted(durations_ms)
    place = next(place for place in range(len(ordered)) if place + 1 >= share * len(ordered))
    low, high = edges(bucket_of(ordered[place]))
    found = percentile(counted(*durations_ms), share)
    assert found is not None
    assert low <= found <= high


@given(st.lists(took, max_size=50), st.lists(took, max_size=50))
def test_sums_are_those_of_all(one: list[float], other: list[float]) -> None:
    both = counted(*one)
    add(both, counted(*other))
    assert both == counted(*one, *other)


@pytest.mark.parametrize("bound_ms", [1, 5, 25, 250, 60_000])
def test_within_a_bound(bound_ms: int) -> None:
    chance = random.Random(7)
    durations_ms = [chance.expovariate(1 / 200) for _ in range(500)] + [bound_ms]
    assert within(counted(*durations_ms), bound_ms) == sum(each < bound_ms for each in durations_ms)
