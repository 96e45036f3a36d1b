"""What the platform asks of a part."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import APPLIED_SUBJECT, Applied

SILENT_AFTER_S = 5.0  # members speak once a second


class Part(Protocol):
    """``start`` returns when it serves; ``problem`` is None then, else a sentence for /readyz."""

    @property
    def problem(self) -> str | None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class HeardFrom:
    """Stands for a part that runs in another process: ready while its ``ffx.applied`` is heard."""

    def __init__(self, bus: Bus, member: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._member = member
        self._clock = clock
        self._heard_at: float | None = None
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    @property
    def problem(self) -> str | None:
        if self._heard_at is None:
            return f"{self._member} has not reported yet"
        silent_s = self._clock() - self._heard_at
        return None if silent_s < SILENT_AFTER_S else f"{self._member} has not reported for {silent_s:.0f} s"

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(APPLIED_SUBJECT, self._hear)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
            self._unsubscribe = None

    async def _hear(self, _subject: str, data: bytes) -> None:
        try:
            applied = decode(Applied, data)
        except Invalid:
            return  # whoever sends that is not the member, and /readyz will tell that it is silent
        if applied.member == self._member:
            self._heard_at = self._clock()
