"""What happened to one function, kept for an hour: to the report for the last minute and a half, by the minute before that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from faasioflex.model.durations import add

KEPT_S = 3600.0
FINE_S = 90.0
COARSE_S = 60.0


@dataclass
class Figures:
    """``durations``: bucket of model/durations -> calls. ``cpu_s``: CPU seconds that its instances used."""

    answered: int = 0
    errors: int = 0
    cold_starts: int = 0
    cpu_s: float = 0.0
    duration_sum_ms: float = 0.0
    durations: dict[int, int] = field(default_factory=dict)

    def add(self, more: Figures) -> None:
        self.answered += more.answered
        self.errors += more.errors
        self.cold_starts += more.cold_starts
        self.cpu_s += more.cpu_s
        self.duration_sum_ms += more.duration_sum_ms
        add(self.durations, more.durations)


class Ring:
    """Times are seconds since the epoch and only grow. Holds about a hundred records at most, each as large as what it counts."""

    def __init__(self) -> None:
        self._fine: deque[tuple[float, Figures]] = deque()  # when it was told, what
        self._coarse: deque[tuple[float, Figures]] = deque()  # the minute's end, what was told in it

    def add(self, at: float, figures: Figures) -> None:
        """The ring keeps ``figures`` and may change them."""
        self._fine.append((at, figures))
        self._settle(at)

    def since(self, begin: float, now: float) -> Figures:
        """The sum of what was told after ``begin``; of whole minutes where that is longer ago than ``FINE_S``."""
        self._settle(now)
        sums = Figures()
        for end, figures in self._coarse:
            if end - COARSE_S / 2 > begin:
                sums.add(figures)
        for at, figures in self._fine:
            if at > begin:
                sums.add(figures)
        return sums

    def __len__(self) -> int:
        return len(self._fine) + len(self._coarse)

    def _settle(self, now: float) -> None:
        while self._fine and self._fine[0][0] <= now - FINE_S:
            at, figures = self._fine.popleft()
            end = (at // COARSE_S + 1) * COARSE_S
            if self._coarse and self._coarse[-1][0] == end:
                self._coarse[-1][1].add(figures)
            else:
                self._coarse.append((end, figures))
        while self._coarse and self._coarse[0][0] <= now - KEPT_S:
            self._coarse.popleft()
