"""Many times at which something is due, each changed or taken back at will: a heap whose dead leaves are cut now and then."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

SLACK = 1024


class Due(Protocol):
    due: float | None  # when it is; None: never


T = TypeVar("T", bound=Due)


class Timers(Generic[T]):
    """An item's time is in its ``due``; it stands in the heap once for each time that it was given."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()
        self._live = 0

    def __len__(self) -> int:
        return self._live

    def set(self, item: T, due: float) -> None:
        if item.due == due:
            return
        if item.due is None:
            self._live += 1
        item.due = due
        heapq.heappush(self._heap, (due, next(self._order), item))
        if len(self._heap) > 2 * self._live + SLACK:
            self._heap = [each for each in self._heap if each[2].due == each[0]]
            heapq.heapify(self._heap)

    def clear(self, item: T) -> None:
        if item.due is not None:
            item.due = None
            self._live -= 1

    def next(self) -> float | None:
        """When the first is due."""
        while self._heap and self._heap[0][2].due != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[T]:
        """Those that are due by now, the earliest first; each is cleared when it is handed out."""
        while (first := self.next()) is not None and first <= now:
            item = heapq.heappop(self._heap)[2]
            self.clear(item)
            yield item
