"""Results that are too large for a record: in an object store, each under a name that says when it goes."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Callable

import structlog

from faasioflex.bus.buckets import RESULT_OBJECTS
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 30.0


class Results:
    """``clock``: seconds since the epoch. Names are ``ID.SECOND``: an object needs no record to be collected in time."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.time) -> None:
        self._objects = bus.objects(RESULT_OBJECTS)
        self._clock = clock
        self._ends: list[tuple[int, str]] = []

    async def put(self, invocation_id: str, data: bytes, ttl_s: float) -> str:
        """Where it is. Raises: Unavailable."""
        end = math.ceil(self._clock() + ttl_s)
        name = f"{invocation_id}.{end}"
        await self._objects.put(name, data)
        heapq.heappush(self._ends, (end, name))
        return name

    async def run(self) -> None:
        """For ever: remove what has ended. The names are read once; what comes later is known from :meth:`put`."""
        while True:
            try:
                self._ends = [(_end_of(name), name) for name in await self._objects.names()]
                heapq.heapify(self._ends)
                break
            except FfxError:
                await asyncio.sleep(LOOK_EVERY_S)
        while True:
            await self.collect()
            await asyncio.sleep(LOOK_EVERY_S)

    async def collect(self) -> None:
        """Remove what has ended by now."""
        while self._ends and self._ends[0][0] <= self._clock():
            end, name = heapq.heappop(self._ends)
            try:
                await self._objects.delete(name)
            except FfxError as error:
                log.info("an old result is removed later", reason=error.message)
                heapq.heappush(self._ends, (end, name))
                return


def _end_of(name: str) -> int:
    tail = name.rpartition(".")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0
