"""How many instances come up at once where others of their revision serve already.

Starting takes processor time: all of a step's instances at once share the cores, and the first of them is ready when the last is. A
few at a time, the first helps after the time that one start takes. Who has nothing that serves does not wait here.
"""

from __future__ import annotations

import asyncio
import os

LONGEST_S = 5.0  # a start that takes longer keeps nobody waiting


class StartTurns:
    """``at_once``: starts that run side by side; by default as many as there are cores, at least two."""

    def __init__(self, at_once: int | None = None) -> None:
        self._free = asyncio.Semaphore(at_once or max(2, os.cpu_count() or 2))
        self._held: dict[str, asyncio.TimerHandle] = {}

    async def take(self, instance: str) -> None:
        """Wait for a turn; it ends with :meth:`leave`, or after ``LONGEST_S``."""
        await self._free.acquire()
        self._held[instance] = asyncio.get_running_loop().call_later(LONGEST_S, self.leave, instance)

    def leave(self, instance: str) -> None:
        """It is up, or will never be. One that has no turn is no error."""
        timer = self._held.pop(instance, None)
        if timer is not None:
            timer.cancel()
            self._free.release()
