"""What the autoscaler decided, by the signal that made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import SCALE_SUBJECT
from faasioflex.model.status import DesiredScale

log = structlog.get_logger(__name__)
MOST_REMEMBERED = 10_000  # revisions whose newest decision is known, so that it counts once


class Decisions:
    """``totals``: (signal, up or down) -> decisions since this process started."""

    def __init__(self, bus: Bus) -> None:
        self.totals: Counter[tuple[str, str]] = Counter()
        self._bus = bus
        self._newest: dict[tuple[str, int], float] = {}
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(f"{SCALE_SUBJECT}.*.*", self._take)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
            self._unsubscribe = None

    async def _take(self, subject: str, data: bytes) -> None:
        try:
            desired = decode(DesiredScale, data)
        except Invalid as error:
            log.warning("a decision cannot be read", subject=subject, error=str(error))
            return
        for revision, decision in desired.decisions.items():
            key = desired.function_uid, revision
            known = self._newest.pop(key, None)
            self._newest[key] = decision.at
            if known is not None and decision.at <= known:
                continue
            if known is None and decision.at < desired.decided_at:
                continue  # of before this process listened, told again with a newer one of another revision
            if decision.to != decision.before:
                self.totals[decision.signal, "up" if decision.to > decision.before else "down"] += 1
        while len(self._newest) > MOST_REMEMBERED:
            del self._newest[next(iter(self._newest))]
