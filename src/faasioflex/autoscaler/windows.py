"""What was measured in the last seconds, in bounded memory: one bucket a second, as Knative's aggregation has it
(https://github.com/knative/serving, pkg/autoscaler/aggregation). ``now`` is seconds since the epoch.

A clock that is set back begins a window anew rather than keep what lies in the future.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from faasioflex.model.durations import add as add_counts


class Window:
    """A level, like calls in progress: the mean of its buckets' means. Several figures of one second weigh as one."""

    def __init__(self) -> None:
        self._seconds: deque[int] = deque()
        self._means: deque[float] = deque()
        self._sum, self._count = 0.0, 0  # of the newest bucket

    def add(self, now: float, value: float, kept_s: float) -> None:
        """``kept_s``: nothing older is asked for any more."""
        second = int(now)
        if self._seconds and second < self._seconds[-1]:
            self._clear()
        if not self._seconds or self._seconds[-1] != second:
            self._seconds.append(second)
            self._means.append(0.0)
            self._sum, self._count = 0.0, 0
        self._sum, self._count = self._sum + value, self._count + 1
        self._means[-1] = self._sum / self._count
        while self._seconds[0] <= second - kept_s:
            self._seconds.popleft()
            self._means.popleft()

    def mean(self, now: float, over_s: float) -> float:
        """Over the last ``over_s``, from the first figure on where that is younger; 0 without any."""
        oldest = int(now) - over_s
        count = 0
        for second in reversed(self._seconds):
            if second <= oldest:
                break
            count += 1
        return sum(islice(reversed(self._means), count)) / count if count else 0.0

    def _clear(self) -> None:
        self._seconds.clear()
        self._means.clear()


class Counter:
    """Events, like calls that begin: how many a second. A count is of the time since the one before; the first one only begins."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque()
        self._since: float | None = None

    def add(self, now: float, count: int, kept_s: float) -> None:
        second = int(now)
        if self._since is None or (self._buckets and second < self._buckets[-1][0]):
            self._buckets.clear()
            self._since, count = now, 0
        if self._buckets and self._buckets[-1][0] == second:
            self._buckets[-1] = (second, self._buckets[-1][1] + count)
        elif count:
            self._buckets.append((second, count))
        while self._buckets and self._buckets[0][0] <= second - kept_s:
            self._buckets.popleft()

    def per_s(self, now: float, over_s: float) -> float:
        """Over the last ``over_s``, or since the first figure; 0 before there is one."""
        if self._since is None:
            return 0.0
        oldest = int(now) - over_s
        total = 0
        for second, count in reversed(self._buckets):
            if second <= oldest:
                break
            total += count
        return total / max(min(over_s, now - self._since), 1.0)


class Durations:
    """Counts in the buckets of ``model/durations`` since :meth:`restart`; what is older than once or twice ``kept_s`` goes."""

    def __init__(self) -> None:
        self._older: dict[int, int] = {}
        self._newer: dict[int, int] = {}
        self._turned_at = 0.0

    def restart(self, now: float) -> None:
        self._older, self._newer, self._turned_at = {}, {}, now

    def add(self, now: float, counts: dict[int, int], kept_s: float) -> None:
        self._turn(now, kept_s)
        add_counts(self._newer, counts)

    def counts(self, now: float, kept_s: float) -> dict[int, int]:
        self._turn(now, kept_s)
        if not self._older:
            return self._newer
        both = dict(self._older)
        add_counts(both, self._newer)
        return both

    def _turn(self, now: float, kept_s: float) -> None:
        passed = now - self._turned_at
        if passed >= 2 * kept_s:
            self.restart(now)
        elif passed >= kept_s:
            self._older, self._newer, self._turned_at = self._newer, {}, self._turned_at + kept_s
