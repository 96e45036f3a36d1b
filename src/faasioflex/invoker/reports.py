"""What the invoker tells the others: how far it follows the routes, what load it has, what it has answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.counts import Counts
from faasioflex.invoker.lanes import Lanes
from faasioflex.invoker.routes import Routes
from faasioflex.invoker.tally import Tally
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import (
    APPLIED_SUBJECT,
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    LOAD_SUBJECT,
    Applied,
    CallsReport,
    CountsReport,
    LoadReport,
    RevisionLoad,
)
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
Queued = Callable[[], Iterable[tuple[FunctionName, int, int]]]


def with_queued(
    loads: Iterable[RevisionLoad], queued: Iterable[tuple[FunctionName, int, int]]
) -> tuple[RevisionLoad, ...]:
    """``queued``: function, the revision that serves, and how many of its asynchronous calls may run now."""
    found = {(load.namespace, load.name, load.revision): load for load in loads}
    for function, revision, count in queued:
        key = (function.namespace, function.name, revision)
        load = found.get(key) or RevisionLoad(*key, in_progress=0, issued=0)
        found[key] = replace(load, queued=load.queued + count)  # those that have had their turn wait in the lane
    return tuple(found.values())


class Reports:
    def __init__(
        self,
        *,
        bus: Bus,
        routes: Routes,
        lanes: Lanes,
        tally: Tally,
        counts: Counts,
        queued: Queued = tuple,
        member: str,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._routes = routes
        self._lanes = lanes
        self._tally = tally
        self._counts = counts
        self._queued = queued
        self._member = member
        self._bounds = bounds
        self._clock = clock
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._routes.listen(self._changed.set)
        self._tasks = [
            asyncio.create_task(work) for work in (self._tell_applied(), self._tell_load(), self._tell_calls())
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell_applied(self) -> None:
        """After each change (several at once are one) and every second."""
        while True:
            self._changed.clear()
            await self._publish(APPLIED_SUBJECT, Applied(self._member, self._routes.revision))
            try:
                async with asyncio.timeout(self._bounds.applied_every_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _tell_load(self) -> None:
        while True:
            await asyncio.sleep(self._bounds.load_every_s)
            loads = with_queued(self._lanes.loads(), self._queued())
            report = LoadReport("invoker", self._member, self._clock(), loads)
            await self._publish(LOAD_SUBJECT, report)

    async def _tell_calls(self) -> None:
        while True:
            await asyncio.sleep(self._bounds.calls_every_s)
            calls = self._tally.take()
            if calls:
                await self._publish(CALLS_SUBJECT, CallsReport("invoker", self._member, self._clock(), calls))
            counts = self._counts.take(self._member, self._clock())
            if counts is not None:
                await self._publish(COUNTS_SUBJECT, counts)

    async def _publish(self, subject: str, message: Applied | LoadReport | CallsReport | CountsReport) -> None:
        try:
            await self._bus.publish(subject, encode(message))
        except FfxError as error:
            log.debug("a report was not sent", subject=subject, error=str(error))
