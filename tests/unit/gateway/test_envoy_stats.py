"""Reading Envoy's statistics."""

from __future__ import annotations

from typing import Any

from faasioflex.gateway.envoy.stats import Counted, parse
from faasioflex.model.durations import bucket_of, edges


def test_counters_and_bins_become_counts_per_revision() -> None:
    uptime_s, found = parse(
        {
            "stats": [
                {"name": "cluster.f/acme/a-b/3.upstream_rq_completed", "value": 5},
                {"name": "cluster.f/acme/a-b/3.upstream_rq_2xx", "value": 3},
                {"name": "cluster.f/acme/a-b/3.upstream_rq_5xx", "value": 2},
                {"name": "cluster.f/acme/c/12.upstream_rq_completed", "value": 1},
                {"name": "server.uptime", "value": 77},
                {"histograms": {"details": [histogram("f/acme/a-b/3", (0, 0, 3), (9, 0.1, 1), (200, 10, 1))]}},
            ]
        }
    )
    assert uptime_s == 77
    assert found == {
        ("acme", "a-b", 3): Counted(5, {2: 3, 5: 2}, {0: 3, bucket_of(9): 1, bucket_of(200): 1}, 3 * 0.5 + 9.5 + 205),
        ("acme", "c", 12): Counted(1),
    }


def test_nothing_was_called() -> None:
    assert parse({"stats": []}) == (0, {})
    assert parse({"stats": [{"histograms": {}}]}) == (0, {})


def test_since_is_the_difference_of_each_count() -> None:
    before = Counted(5, {2: 4, 5: 1}, {0: 4, 9: 1}, 11.0)
    now = Counted(8, {2: 7, 5: 1}, {0: 4, 9: 2, 30: 2}, 61.0)
    assert now.since(before) == Counted(3, {2: 3}, {9: 1, 30: 2}, 50.0)
    assert (now.errors, now.since(before).errors) == (1, 0)
    assert now.since(now) == Counted()
    assert now.since(None) == now


def test_counters_that_went_back_began_again() -> None:
    now = Counted(2, {5: 1}, {0: 2}, 1.0)
    assert now.since(Counted(5, {5: 1}, {0: 5}, 3.0)) == now
    assert now.since(Counted(2, {5: 2}, {0: 2}, 1.0)) == now


def test_no_bin_of_envoys_lies_across_two_of_our_buckets() -> None:
    """Envoy's are of two digits: 10, 11 … 99, 100, 110 …"""
    for power in range(6):
        for first in range(10, 100):
            low, high = first * 10**power, (first + 1) * 10**power
            begin, end = edges(bucket_of(low))
            assert begin <= low
            assert high <= end or low >= 3_600_000


def histogram(cluster: str, *bins: tuple[float, float, int]) -> dict[str, Any]:
    totals = [{"lower_bound": low, "width": width, "count": count} for low, width, count in bins]
    return {"name": f"cluster.{cluster}.upstream_rq_time", "totals": totals}
