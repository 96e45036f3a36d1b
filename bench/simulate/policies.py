"""Our autoscaler, as the platform runs it: the same ``Watched`` and ``decide``, fed with reports every half second."""

from __future__ import annotations

from typing import Protocol

from faasioflex.autoscaler.decide import decide
from faasioflex.autoscaler.samples import Policy
from faasioflex.autoscaler.watched import Watched
from faasioflex.model.function import Limits, Scaling
from faasioflex.model.messages import RevisionLoad

REPORT_S = 0.5


class Scaler(Protocol):
    """``report`` every ``REPORT_S`` and when a call finds nothing; ``due``: whether to ask for a decision now."""

    def report(self, now: float, in_progress: int, waiting: int, begun: int) -> None: ...

    def due(self, now: float, waiting: int) -> bool: ...

    def decide(self, now: float, ready: int, desired: int) -> int: ...

    def asleep_until(self, quiet_since: float) -> float:
        """Without a call since then and with one instance: nothing is decided before that."""


class Ours:
    """One decision a second, and at once where a report says that calls wait."""

    def __init__(self, scaling: Scaling, concurrency: int) -> None:
        self._policy = Policy(scaling, Limits(concurrency=concurrency))
        self._watched: Watched | None = None
        self._next = 0.0

    def report(self, now: float, in_progress: int, waiting: int, begun: int) -> None:
        if self._watched is None:
            self._watched = Watched(now)
        scaling = self._policy.scaling
        self._watched.report("gateway", RevisionLoad("ns", "f", 1, in_progress, begun), now, scaling)
        self._watched.report("invoker", RevisionLoad("ns", "f", 1, 0, 0, waiting), now, scaling)

    def due(self, now: float, waiting: int) -> bool:
        return now >= self._next or waiting > 0

    def decide(self, now: float, ready: int, desired: int) -> int:
        self._next = now + 1.0
        if self._watched is None:
            return desired
        scaling = self._policy.scaling
        self._watched.sample(now, scaling.stable_window_s)
        samples = self._watched.samples(now, scaling, ready, desired, blind=False, usage_lost=False)
        decision = decide(samples, self._policy, now)
        self._watched.memory = decision.memory
        if not decision.instances:
            self._watched = None  # it rests
        return decision.instances

    def asleep_until(self, quiet_since: float) -> float:
        return quiet_since + self._policy.scaling.idle_s
