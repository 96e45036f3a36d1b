"""What happened to one function, kept for an hour: of two seconds each for the last minute and a half, by the minute before that."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from faasioflex.model.durations import add

KEPT_S = 3600.0
FINE_S = 90.0
FINE_STEP_S = 2.0
COARSE_S = 60.0
Count = Literal["answered", "errors", "refused", "crashes"]


@dataclass(slots=True)
class Figures:
    """Counts of a stretch of time, and the most that there was of something in it.

    ``durations``, ``start_durations``: bucket of model/durations -> calls, cold starts. ``classes``: first digit of the status ->
    calls. ``cpu_s``: CPU seconds that its instances used. ``refused``: calls that found no place. ``most``: name of a gauge ->
    its highest value.
    """

    answered: int = 0
    errors: int = 0
    cold_starts: int = 0
    cpu_s: float = 0.0
    duration_sum_ms: float = 0.0
    durations: dict[int, int] = field(default_factory=dict)
    classes: dict[int, int] = field(default_factory=dict)
    start_durations: dict[int, int] = field(default_factory=dict)
    start_sum_ms: float = 0.0
    retries: int = 0
    dead_letters: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    refused: int = 0
    crashes: int = 0
    most: dict[str, float] = field(default_factory=dict)

    def add(self, more: Figures) -> None:
        self.answered += more.answered
        self.errors += more.errors
        self.cold_starts += more.cold_starts
        self.cpu_s += more.cpu_s
        self.duration_sum_ms += more.duration_sum_ms
        self.start_sum_ms += more.start_sum_ms
        self.retries += more.retries
        self.dead_letters += more.dead_letters
        self.cache_hits += more.cache_hits
        self.cache_misses += more.cache_misses
        self.refused += more.refused
        self.crashes += more.crashes
        for into, counts in (
            (self.durations, more.durations),
            (self.classes, more.classes),
            (self.start_durations, more.start_durations),
        ):
            add(into, counts)
        for name, value in more.most.items():
            self.most[name] = max(self.most.get(name, 0.0), value)


class Ring:
    """Times are seconds since the epoch and only grow. Holds about a hundred records at most, each as large as what it counts."""

    def __init__(self) -> None:
        self._fine: deque[tuple[float, Figures]] = deque()  # when the last of it was told, what
        self._coarse: deque[tuple[float, Figures]] = deque()  # the minute's end, what was told in it

    def add(self, at: float, figures: Figures) -> None:
        """The ring keeps ``figures`` and may change them."""
        if self._fine and self._fine[-1][0] // FINE_STEP_S == at // FINE_STEP_S:
            _, held = self._fine.pop()
            held.add(figures)
            figures = held
        self._fine.append((at, figures))
        self._settle(at)

    def since(self, begin: float, now: float) -> Figures:
        """The sum of what was told after ``begin``; of whole minutes where that is longer ago than ``FINE_S``."""
        sums = Figures()
        for at, figures in self._records(now):
            if at > begin:
                sums.add(figures)
        return sums

    def count(self, begin: float, now: float, what: Count) -> int:
        """That one alone, as :meth:`since` has it: much cheaper."""
        return sum(getattr(figures, what) for at, figures in self._records(now) if at > begin)

    def steps(self, begin: float, now: float, step_s: float) -> list[Figures]:
        """What was told after ``begin``, by steps of ``step_s``; the last one may be shorter."""
        made = [Figures() for _ in range(max(int(-(-(now - begin) // step_s)), 1))]
        for at, figures in self._records(now):
            if begin < at <= now:
                made[min(int((at - begin) / step_s), len(made) - 1)].add(figures)
        return made

    def __len__(self) -> int:
        return len(self._fine) + len(self._coarse)

    def _records(self, now: float) -> Iterator[tuple[float, Figures]]:
        """A minute stands at its middle."""
        self._settle(now)
        for end, figures in self._coarse:
            yield end - COARSE_S / 2, figures
        yield from self._fine

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
