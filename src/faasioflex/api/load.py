"""Calls under way, as gateways and invokers report them every 500 ms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
FRESH_S = 3.0  # a member that has not reported for so long is gone, and its calls with it


class Load:
    """Filled from ``ffx.load`` while started."""

    def __init__(self, bus: Bus, now: Callable[[], float]) -> None:
        self._bus = bus
        self._now = now
        self._members: dict[tuple[str, str], LoadReport] = {}
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(LOAD_SUBJECT, self._take)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
            self._unsubscribe = None

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

    def blind(self) -> bool:
        """Whether gateways or invokers are silent: then nobody knows what there is to know of calls."""
        oldest = self._now() - FRESH_S
        fresh = {report.source for report in self._members.values() if report.at >= oldest}
        return not fresh.issuperset({"gateway", "invoker"})

    async def _take(self, subject: str, data: bytes) -> None:
        try:
            report = decode(LoadReport, data)
        except Invalid as error:
            log.warning("a load report cannot be read", subject=subject, error=str(error))
            return
        self._members[report.source, report.member] = report
