"""Knative's default policy, for comparison: what pkg/autoscaler/scaling of https://github.com/knative/serving does with the
defaults of config-autoscaler, written anew.

stable-window 60 s, panic-window-percentage 10, panic-threshold-percentage 200, max-scale-up-rate 1000, max-scale-down-rate 2,
container-concurrency-target-percentage 70 of the hard limit, tick-interval 2 s, metrics every second, no scale-down-delay, and
to zero when the stable window is empty (scale-to-zero-pod-retention-period 0; the grace period is only a bound for the time
until the activator is in the path, which is nothing here). A call that finds no instance is told to the autoscaler at once.
"""

from __future__ import annotations

import math
from collections import deque

STABLE_S, PANIC_S = 60.0, 6.0
UP_RATE, DOWN_RATE, PANIC_THRESHOLD = 1000.0, 2.0, 2.0
UTILIZATION = 0.7
TICK_S = 2.0


class Knative:
    def __init__(self, concurrency: int, most: int) -> None:
        self._target = concurrency * UTILIZATION
        self._most = most
        self._buckets: deque[tuple[int, float, int]] = deque()  # second, sum, count
        self._panic_since: float | None = None
        self._panic_most = 0
        self._next = 0.0
        self._seen_at = -math.inf

    def report(self, now: float, in_progress: int, waiting: int, begun: int) -> None:
        from_zero = waiting > 0 and in_progress == 0
        if now - self._seen_at < 1.0 and not from_zero:
            return
        self._seen_at = now
        second, value = int(now), float(in_progress + waiting)
        if self._buckets and self._buckets[-1][0] == second:
            _, total, count = self._buckets[-1]
            self._buckets[-1] = (second, total + value, count + 1)
        else:
            self._buckets.append((second, value, 1))

    def due(self, now: float, waiting: int) -> bool:
        return now >= self._next

    def poke(self) -> None:
        """The activator holds a call of a revision without instances."""
        self._next = 0.0

    def decide(self, now: float, ready: int, desired: int) -> int:
        self._next = now + TICK_S
        while self._buckets and self._buckets[0][0] <= now - STABLE_S:
            self._buckets.popleft()
        if not self._buckets:
            return 0
        count = max(ready, 1)
        least, most = math.floor(count / DOWN_RATE), math.ceil(count * UP_RATE)
        stable = math.ceil(self._mean(now, STABLE_S) / self._target)
        panic = math.ceil(self._mean(now, PANIC_S) / self._target)
        wanted = min(max(stable, least), most)
        if panic / count >= PANIC_THRESHOLD:
            self._panic_since = now
        elif self._panic_since is not None and self._panic_since + STABLE_S < now:
            self._panic_since, self._panic_most = None, 0
        if self._panic_since is not None:
            self._panic_most = max(self._panic_most, wanted, min(max(panic, least), most))
            wanted = self._panic_most
        return min(wanted, self._most)

    def asleep_until(self, quiet_since: float) -> float:
        return quiet_since + STABLE_S

    def _mean(self, now: float, over_s: float) -> float:
        means = [total / count for second, total, count in self._buckets if second > now - over_s]
        return sum(means) / len(means) if means else 0.0
