"""One time of working on the queue: from the lease to its loss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from faasioflex.bus.buckets import CALLS
from faasioflex.bus.port import Bus, CaughtUp
from faasioflex.invoker.queue.index import Index
from faasioflex.invoker.queue.removals import Removals
from faasioflex.invoker.queue.runner import Runner
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import QUEUE_SUBJECT

log = structlog.get_logger(__name__)
RETRY_S = 0.5


class Work:
    """``index`` is filled from the stream and followed; ``ready`` is set once everything that was there is in it."""

    def __init__(
        self,
        *,
        bus: Bus,
        index: Index,
        runner: Runner,
        removals: Removals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.index = index
        self.runner = runner
        self.ready = asyncio.Event()
        self._bus = bus
        self._removals = removals
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._removals.start()
        self._task = asyncio.create_task(self._follow(), name="queue feed")

    async def stop(self, drain_s: float) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.runner.stop(drain_s)
        await self._removals.stop()

    async def _follow(self) -> None:
        while True:
            try:
                async with self._bus.heads(CALLS.name, f"{QUEUE_SUBJECT}.>") as found:
                    async for each in found:
                        if isinstance(each, CaughtUp):
                            self.index.settle(self._clock())
                            log.info("the queue has been read", calls=len(self.index))
                            self.ready.set()
                            self.runner.pump()
                            continue
                        new = self.index.see(each, self._clock())
                        if new:
                            self.runner.pump()
                        elif new is None:
                            log.error("a message of the queue cannot be read", sequence=each.sequence)
                            self._removals.add(each.sequence)
            except FfxError as error:
                log.warning("the queue cannot be read yet", reason=error.message)
                await asyncio.sleep(RETRY_S)
