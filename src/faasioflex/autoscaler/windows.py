"""Averages over a sliding time window, in constant memory: one bucket a second."""

from __future__ import annotations

from collections import deque

BUCKET_S = 1.0


class Window:
    """Values of the last ``length_s`` seconds. ``average(now)`` counts from the first value, as Knative's KPA does for a
    revision that is younger than its window (https://github.com/knative/serving, pkg/autoscaler/aggregation)."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._buckets: deque[tuple[int, float, int]] = deque()  # second, sum, count

    def add(self, now: float, value: float) -> None:
        second = int(now / BUCKET_S)
        if self._buckets and self._buckets[-1][0] == second:
            _, total, count = self._buckets[-1]
            self._buckets[-1] = (second, total + value, count + 1)
        else:
            self._buckets.append((second, value, 1))
        self._forget(now)

    def average(self, now: float) -> float:
        """Mean of the buckets' means; 0 without any value."""
        self._forget(now)
        if not self._buckets:
            return 0.0
        return sum(total / count for _, total, count in self._buckets) / len(self._buckets)

    def _forget(self, now: float) -> None:
        oldest = (now - self.length_s) / BUCKET_S
        while self._buckets and self._buckets[0][0] < oldest:
            self._buckets.popleft()
