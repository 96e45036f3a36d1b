"""Which revisions are called, as gateways and invokers tell it. Who is silent is not calm: then nothing is idle."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport

BLIND_AFTER_S = 3.0
FORGET_S = 3600.0


class Load:
    """``members``: who must report. ``on_calls`` hears of each revision with calls, at each report: (key, revision)."""

    def __init__(self, bus: Bus, members: tuple[str, ...], clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._clock = clock
        self._heard_at = dict.fromkeys(members, float("-inf"))
        self._busy_at: dict[tuple[str, int], float] = {}
        self._prune_at = 1024  # entries of busy_at
        self._since = float("inf")  # everybody has reported without a gap since then
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self.on_calls: Callable[[str, int], None] = lambda _key, _revision: None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(LOAD_SUBJECT, self._on_report)

    async def stop(self) -> None:
        if self._unsubscribe:
            await self._unsubscribe()

    def called(self, key: str, revision: int) -> None:
        """A call is about to come (a wake)."""
        self._busy_at[key, revision] = self._clock()

    def busy_since(self, key: str, revision: int, at: float) -> bool:
        """Whether calls were told of after ``at``."""
        return self._busy_at.get((key, revision), float("-inf")) >= at

    def idle_s(self, key: str, revision: int) -> float | None:
        """For how long no call has been told of; None while somebody does not report."""
        now = self._clock()
        if self._blind(now):
            return None
        return max(0.0, now - max(self._busy_at.get((key, revision), float("-inf")), self._since))

    def _blind(self, now: float) -> bool:
        return any(now - at > BLIND_AFTER_S for at in self._heard_at.values())

    async def _on_report(self, _subject: str, data: bytes) -> None:
        report = decode(LoadReport, data)
        if report.member not in self._heard_at:
            return
        now = self._clock()
        was_blind = self._blind(now)
        self._heard_at[report.member] = now
        if was_blind:
            self._since = now  # what was in between nobody knows
        if len(self._busy_at) > self._prune_at:
            self._busy_at = {place: at for place, at in self._busy_at.items() if now - at < FORGET_S}
            self._prune_at = max(1024, 2 * len(self._busy_at))
        for one in report.loads:
            if one.in_progress or one.issued or one.waiting:
                key = f"{one.namespace}.{one.name}"
                self._busy_at[key, one.revision] = now
                self.on_calls(key, one.revision)
