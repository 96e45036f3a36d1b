"""Calls as gateways and invokers report them every 500 ms, kept per function for some minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
KEPT_S = 3600
FRESH_S = 3.0  # a member that has not reported for so long is gone, and its calls with it


@dataclass
class _Calls:
    total: int = 0
    by_second: deque[tuple[int, int]] = field(default_factory=deque)  # second, calls begun in it

    def add(self, second: int, count: int) -> None:
        self.total += count
        if self.by_second and self.by_second[-1][0] == second:
            count += self.by_second.pop()[1]
        self.by_second.append((second, count))
        while self.by_second[0][0] < second - KEPT_S:
            self.by_second.popleft()


class LoadWindow:
    """Filled from ``ffx.load`` while started."""

    def __init__(self, bus: Bus, now: Callable[[], float]) -> None:
        self._bus = bus
        self._now = now
        self._calls: dict[FunctionName, _Calls] = {}
        self._members: dict[tuple[str, str], LoadReport] = {}
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(LOAD_SUBJECT, self._take)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
            self._unsubscribe = None

    def calls_per_s(self, function: FunctionName, window_s: float) -> float:
        """Mean over the last ``window_s`` seconds."""
        calls = self._calls.get(function)
        if calls is None:
            return 0.0
        begin = self._now() - window_s
        return sum(count for second, count in calls.by_second if second >= begin) / window_s

    def begun(self) -> dict[FunctionName, int]:
        """Calls since this process started, by function."""
        return {function: calls.total for function, calls in self._calls.items()}

    def now(self) -> dict[FunctionName, tuple[int, int]]:
        """Calls in progress, and calls that wait for an instance; functions without either may be missing."""
        found: dict[FunctionName, tuple[int, int]] = {}
        oldest = self._now() - FRESH_S
        for report in self._members.values():
            if report.at >= oldest:
                for load in report.loads:
                    function = FunctionName(load.namespace, load.name)
                    running, waiting = found.get(function, (0, 0))
                    found[function] = running + load.in_progress, waiting + load.waiting
        return found

    async def _take(self, subject: str, data: bytes) -> None:
        try:
            report = decode(LoadReport, data)
        except Invalid as error:
            log.warning("a load report cannot be read", subject=subject, error=str(error))
            return
        self._members[report.source, report.member] = report
        second = int(self._now())
        for load in report.loads:
            if load.issued:
                self._calls.setdefault(FunctionName(load.namespace, load.name), _Calls()).add(second, load.issued)
