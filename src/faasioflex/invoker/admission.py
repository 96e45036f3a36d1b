"""How many calls may wait and how many bytes may be kept: per function and over all."""

from __future__ import annotations

from collections import Counter

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.errors import TooManyCalls
from faasioflex.model.names import FunctionName


class Admission:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: Counter[FunctionName] = Counter()
        self._total = 0
        self._bytes = 0

    @property
    def total(self) -> int:
        return self._total

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def waiting(self, function: FunctionName) -> int:
        return self._waiting[function]

    def check(self, function: FunctionName, allowed: int) -> None:
        """Raises: TooManyCalls where one more may not wait."""
        if allowed == 0:
            raise TooManyCalls(
                f"{function} has no free place now (its instances are busy, or one is being replaced) and no call may wait "
                "for one: limits.queue is 0; call again later, or raise limits.queue"
            )
        if self._waiting[function] >= allowed:
            raise TooManyCalls(
                f"{function} has {allowed} calls waiting, its limit: call again later, or raise limits.queue, "
                "limits.concurrency or scaling.max_instances"
            )
        if self._total >= self._bounds.held_calls:
            raise TooManyCalls("The platform holds as many waiting calls as it may: call again later")

    def enter(self, function: FunctionName, allowed: int) -> None:
        """Take a place. Raises: TooManyCalls."""
        self.check(function, allowed)
        self._waiting[function] += 1
        self._total += 1

    def leave(self, function: FunctionName) -> None:
        self._total -= 1
        self._waiting[function] -= 1
        if not self._waiting[function]:
            del self._waiting[function]

    def keep(self, size: int) -> None:
        """Account for bytes of a body that is kept. Raises: TooManyCalls."""
        if self._bytes + size > self._bounds.held_bytes:
            raise TooManyCalls("The platform keeps as many request bodies as it may: call again later")
        self._bytes += size

    def free(self, size: int) -> None:
        self._bytes -= size
