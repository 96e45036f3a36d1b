"""What queue, cache and the bounded buffer did since it was told last, and what is in the queues now."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from faasioflex.model.messages import CountsReport, FunctionCounts
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueueDepth

MOST_QUEUES = 500  # that are told one by one
Depths = Callable[[], Iterable[QueueDepth]]


@dataclass
class _Counted:
    retries: int = 0
    dead_letters: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    refused: int = 0


class Counts:
    """``depths``: of every function with something in its queue; set by whoever works on the queue."""

    def __init__(self) -> None:
        self.depths: Depths = tuple
        self._counted: dict[FunctionName, _Counted] = {}
        self._told = False

    def retried(self, function: FunctionName) -> None:
        """A queued call of it is made again."""
        self._of(function).retries += 1

    def died(self, function: FunctionName) -> None:
        """A queued call of it became a dead letter."""
        self._of(function).dead_letters += 1

    def hit(self, function: FunctionName) -> None:
        """The cache answered."""
        self._of(function).cache_hits += 1

    def missed(self, function: FunctionName) -> None:
        """The cache was asked and had nothing."""
        self._of(function).cache_misses += 1

    def refused(self, function: FunctionName) -> None:
        """A call found no place."""
        self._of(function).refused += 1

    def take(self, member: str, at: float) -> CountsReport | None:
        """Since this was asked before; None where there is nothing to tell, and there was nothing then."""
        counted, self._counted = self._counted, {}
        depths = {FunctionName(*each.function.split("/")): each for each in self.depths()}
        told = bool(counted or depths)
        before, self._told = self._told, told
        if not (told or before):
            return None
        longest = heapq.nlargest(MOST_QUEUES, depths, key=lambda function: depths[function].oldest_s)
        functions = dict.fromkeys([*counted, *longest])
        return CountsReport(
            member,
            at,
            tuple(_told(function, counted.get(function), depths.get(function)) for function in functions),
            queued=sum(each.queued for each in depths.values()),
            delayed=sum(each.delayed for each in depths.values()),
            running=sum(each.running for each in depths.values()),
            oldest_s=max((each.oldest_s for each in depths.values()), default=0.0),
        )

    def _of(self, function: FunctionName) -> _Counted:
        return self._counted.setdefault(function, _Counted())


def _told(function: FunctionName, counted: _Counted | None, depth: QueueDepth | None) -> FunctionCounts:
    did, there = counted or _Counted(), depth or QueueDepth(str(function), 0, 0, 0, 0.0)
    return FunctionCounts(
        function.namespace,
        function.name,
        queued=there.queued,
        delayed=there.delayed,
        running=there.running,
        oldest_s=round(there.oldest_s, 3),
        retries=did.retries,
        dead_letters=did.dead_letters,
        cache_hits=did.cache_hits,
        cache_misses=did.cache_misses,
        refused=did.refused,
    )
