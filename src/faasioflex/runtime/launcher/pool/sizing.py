"""How many spares there should be: pure, from what was started lately and what memory they may take."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from faasioflex.runtime.launcher.pool.shape import Shape

LEAST = 2  # of the usual shapes, so that the call after the first does not wait either
RECENT_S = 300.0  # a shape that nobody asked for so long has no spares any more, unless it is a usual one
BURST_S = 5.0  # starts within so long of each other want a spare each: no refill is quicker
MOST = 16  # of one shape: beyond that, starting them costs more than they are worth on machines of this size


@dataclass
class Demand:
    """When instances of one shape were asked for; times are of one monotonic clock, in seconds."""

    usual: bool = False
    _starts: deque[float] = field(default_factory=lambda: deque(maxlen=256))

    def note(self, now: float) -> None:
        self._starts.append(now)

    def last(self) -> float:
        return self._starts[-1] if self._starts else float("-inf")

    def wanted(self, now: float) -> int:
        """As many as came in the busiest ``BURST_S`` of the last ``RECENT_S``."""
        while self._starts and now - self._starts[0] > RECENT_S:
            self._starts.popleft()
        most = first = 0
        times = list(self._starts)
        for last, at in enumerate(times):
            while at - times[first] > BURST_S:
                first += 1
            most = max(most, last - first + 1)
        return min(MOST, max(most, LEAST if self.usual else 0))


def targets(
    wanted: Mapping[Shape, int], each_bytes: Mapping[Shape, int], room_bytes: int, order: Sequence[Shape]
) -> dict[Shape, int]:
    """How many of each shape there should be within ``room_bytes``. ``order``: who was asked for last, first.

    Every shape has its first before any has its second, so that a busy one does not take the room of all.
    """
    found = dict.fromkeys(order, 0)
    used = 0
    for nth in range(1, MOST + 1):
        for shape in order:
            if wanted[shape] >= nth and found[shape] == nth - 1 and used + each_bytes[shape] <= room_bytes:
                found[shape] = nth
                used += each_bytes[shape]
    return found


def next_to_start(targets: Mapping[Shape, int], there: Mapping[Shape, int]) -> Shape | None:
    """Of those that lack some, the one that has the fewest; None where all have enough."""
    lacking = [shape for shape, count in targets.items() if there.get(shape, 0) < count]
    return min(lacking, key=lambda shape: there.get(shape, 0), default=None)


def surplus(targets: Mapping[Shape, int], there: Mapping[Shape, int]) -> list[Shape]:
    """Shapes that have more than they should, once for each that is too many."""
    return [shape for shape, count in there.items() for _ in range(count - targets.get(shape, 0))]
