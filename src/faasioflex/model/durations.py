"""How long calls took, as counts in fixed buckets: small enough to send, exact when added, good for percentiles.

The bounds have two digits: 1 ms steps below 10 ms, 25 steps per tenfold above, up to an hour. A percentile read from the counts
lies in the same bucket as the true one: it is off by less than 1 ms below 10 ms, and by less than 14 % above.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

_STEPS = (10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 30, 33, 36, 40, 45, 50, 55, 60, 65, 70, 75, 80, 90)
LONGEST_MS = 3_600_000
BOUNDS_MS: tuple[int, ...] = (
    *range(1, 10),
    *(step * 10**power for power in range(6) for step in _STEPS if step * 10**power <= LONGEST_MS),
)
Counts = Mapping[int, int]  # bucket -> calls; buckets without calls are left out


def bucket_of(took_ms: float) -> int:
    """Bucket ``n`` holds ``BOUNDS_MS[n - 1] <= took < BOUNDS_MS[n]``; 0 what is below 1 ms, the last what is beyond an hour."""
    return bisect_right(BOUNDS_MS, took_ms)


def add(into: dict[int, int], counts: Counts) -> None:
    """Add ``counts`` to ``into``."""
    for bucket, count in counts.items():
        into[bucket] = into.get(bucket, 0) + count


def percentile(counts: Counts, share: float) -> float | None:
    """The duration in ms that ``share`` (0 to 1) of the calls did not exceed, evenly spread within its bucket; None of none."""
    total = sum(counts.values())
    if not total:
        return None
    rank, below = share * total, 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if count and below + count >= rank:
            low, high = edges(bucket)
            return low + (high - low) * max(rank - below, 0.0) / count
        below += count
    return float(edges(max(counts))[1])


def edges(bucket: int) -> tuple[int, int]:
    """Where it begins and ends, in ms. What lasted longer than an hour counts as an hour."""
    last = len(BOUNDS_MS) - 1
    return (BOUNDS_MS[min(bucket, last + 1) - 1] if bucket > 0 else 0), BOUNDS_MS[min(bucket, last)]


def within(counts: Counts, bound_ms: float) -> int:
    """How many took less than ``bound_ms``, which must be one of the bounds."""
    end = bisect_right(BOUNDS_MS, bound_ms)
    return sum(count for bucket, count in counts.items() if bucket < end)
