"""Removing what nothing refers to any more: code, revision records of interrupted requests, builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from faasioflex.bus.buckets import CODE_OBJECTS, FUNCTIONS, REVISIONS
from faasioflex.bus.port import Bus
from faasioflex.manager.builder.port import Builder
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import CodeSource, FunctionRecord, RevisionRecord

log = structlog.get_logger(__name__)
EVERY_S = 600.0
YOUNG_S = 600.0  # a request may be between its writes for that long


class Collector:
    """Two passes must agree that an object is unused before it goes: a request under way may be about to refer to it."""

    def __init__(self, bus: Bus, builder: Builder, clock: Callable[[], float] = time.time) -> None:
        self._functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
        self._revisions = bus.bucket(REVISIONS.name, RevisionRecord)
        self._objects = bus.objects(CODE_OBJECTS)
        self._builder = builder
        self._clock = clock
        self._unused_before: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def collect(self) -> None:
        """One pass."""
        for key in await self._orphan_revisions():
            await self._revisions.delete(key)
        unused = set(await self._objects.names()) - await self._used()
        for name in unused & self._unused_before:
            if name not in await self._used():  # again, at the last moment
                await self._objects.delete(name)
                log.info("unused code removed", sha256=name)
        self._unused_before = unused
        await self._builder.collect([entry.value for entry in await self._revisions.list()])

    async def _orphan_revisions(self) -> list[str]:
        referred = {key for entry in await self._functions.list() for key in entry.value.revisions.values()}
        old = self._clock() - YOUNG_S
        return [
            entry.key
            for entry in await self._revisions.list()
            if entry.key not in referred and entry.value.created_at < old
        ]

    async def _used(self) -> set[str]:
        records = [entry.value for entry in await self._revisions.list()]
        return {record.source.sha256 for record in records if isinstance(record.source, CodeSource)}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.collect()
            except Unavailable as error:
                log.info("collection postponed", reason=error.message)
            except Exception:
                log.exception("collection failed")  # the next one tries again
