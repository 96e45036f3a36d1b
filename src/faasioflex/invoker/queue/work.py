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
from faasioflex.invoker.queue.seen import Seen
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import QUEUE_SUBJECT

log = structlog.get_logger(__name__)
RETRY_S = 0.5
LOOK_EVERY_S = 0.5  # for what others have stored
ON_THE_WAY_S = 0.05  # acknowledgements that are


class Work:
    """``index`` is filled from the stream and kept up with it; ``ready`` is set once everything that was there is in it."""

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
                if not self.ready.is_set():
                    await self._read_on(await self._bus.last_sequence(CALLS.name))
                    self.index.settle(self._clock())
                    log.info("the queue has been read", calls=len(self.index))
                    self.ready.set()
                    self.runner.pump()
                await asyncio.sleep(LOOK_EVERY_S)
                await self._look()
            except FfxError as error:
                log.info("the queue cannot be read now", reason=error.message)
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception(
                    "reading the queue failed inside the invoker"
                )  # it would stop for good, and nobody would know
                await asyncio.sleep(RETRY_S)

    async def _look(self) -> None:
        """What is stored here is known by its acknowledgement. Is there more, of other invokers or of ours whose
        acknowledgement was lost?"""
        seen = self.index.seen
        before, last = seen.up_to, await self._bus.last_sequence(CALLS.name)
        if last < before:
            log.error("the queue's stream begins anew: what was in it is gone", known=before, last=last)
            self.index.seen = Seen()
        elif last > seen.up_to:
            await asyncio.sleep(ON_THE_WAY_S)
            if last <= seen.up_to:
                return
        else:
            return
        await self._read_on(last)

    async def _read_on(self, last: int) -> None:
        """All that is behind what is known; up to ``last`` everything is known then."""
        async with self._bus.heads(CALLS.name, f"{QUEUE_SUBJECT}.>", after=self.index.seen.up_to) as found:
            async for each in found:
                if isinstance(each, CaughtUp):
                    self.index.seen.reached(last)
                    return
                new = self.index.see(each, self._clock())
                if new:
                    self.runner.pump()
                elif new is None:
                    log.error("a message of the queue cannot be read", sequence=each.sequence)
                    self._removals.add(each.sequence)
