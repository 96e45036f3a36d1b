"""One instance as this invoker knows it: how much of it we use, and what it said when it was full."""

from __future__ import annotations

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.route import Endpoint


class Slot:
    """The gateway sends calls to the same instance, so its room is not ours to count: it is learnt from its refusals.

    ``room`` is how many of our calls it took when it last said that it was full. Beyond it one more is tried after a backoff
    (5 to 50 ms, doubling with each refusal in a row).
    """

    def __init__(self, endpoint: Endpoint, concurrency: int) -> None:
        self.endpoint = endpoint
        self.in_flight = 0
        self.dead = False  # refuses connections: not tried again until the manager speaks of it
        self.gone = False  # no longer routed to: calls that it has may end
        self.last_used = 0
        self._concurrency = concurrency
        self._room = concurrency
        self._backoff_s = 0.0
        self._ask_again_at = 0.0

    def takes(self, now: float) -> bool:
        if self.dead or self.gone or self.in_flight >= self._concurrency:
            return False
        return self.in_flight < self._room or now >= self._ask_again_at

    def asks_again_at(self) -> float | None:
        """When it may be tried beyond its room, None where no time changes that."""
        if self.dead or self.gone or self.in_flight >= self._concurrency:
            return None
        return self._ask_again_at

    def begin(self, now: float, order: int) -> None:
        self.last_used = order
        if self.in_flight >= self._room:
            self._room = self.in_flight + 1
            self._ask_again_at = now + self._backoff_s
        self.in_flight += 1

    def end(self) -> None:
        self.in_flight -= 1

    def refused(self, now: float, bounds: Bounds) -> None:
        """It was full: the call that was begun did not count."""
        self.in_flight -= 1
        self._room = self.in_flight
        self._backoff_s = min(max(self._backoff_s * 2, bounds.first_backoff_s), bounds.longest_backoff_s)
        self._ask_again_at = now + self._backoff_s

    def accepted(self, bounds: Bounds) -> None:
        self._backoff_s = bounds.first_backoff_s
