"""Messages whose calls have ended, taken out of the stream a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from faasioflex.bus.buckets import CALLS
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError

log = structlog.get_logger(__name__)
GATHER_S = 0.01
RETRY_S = 0.5
MOST_AT_ONCE = 1024
Then = Callable[[], Awaitable[None]]


class Removals:
    """A process that dies before it has removed one meets it again, with its outcome, and removes it then."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: list[tuple[int, Then | None]] = []
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="queue removals")

    async def stop(self, within_s: float = 1.0) -> None:
        """What is waiting is still removed, where that is possible."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(within_s):
                await self._bus.remove(CALLS.name, [sequence for sequence, _ in self._waiting])
        except (FfxError, TimeoutError):
            log.info("messages of ended calls are left for the next start", count=len(self._waiting))

    def add(self, sequence: int, then: Then | None = None) -> None:
        """``then``: when it certainly is gone."""
        self._waiting.append((sequence, then))
        self._grown.set()

    async def _run(self) -> None:
        while True:
            await self._grown.wait()
            await asyncio.sleep(GATHER_S)
            self._grown.clear()
            while self._waiting:
                taken = self._waiting[:MOST_AT_ONCE]
                try:
                    await self._bus.remove(CALLS.name, [sequence for sequence, _ in taken])
                except FfxError as error:
                    log.info("messages of ended calls are removed later", count=len(taken), reason=error.message)
                    await asyncio.sleep(RETRY_S)
                    continue
                del self._waiting[: len(taken)]
                await asyncio.gather(*(then() for _, then in taken if then is not None))
