"""Removing what nothing refers to any more: code, revision records of interrupted requests, builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from faasioflex.bus.buckets import CODE_OBJECTS, FUNCTIONS, REVISIONS
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.manager.builder.port import Builder
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import CodeSource, FunctionRecord, RevisionRecord

log = structlog.get_logger(__name__)
EVERY_S = 600.0
SETTLED = 3  # passes without a change, after which there is nothing left to find
ALL_THE_SAME = 36  # every so many passes it is looked nevertheless, for what left no trace in the registry
YOUNG_S = 600.0  # a request may be between its writes for that long


class Collector:
    """Two passes must agree that an object is unused before it goes: a request under way may be about to refer to it.

    Nothing is looked at while nothing changes: ten thousand functions that rest cost nothing.
    """

    def __init__(self, bus: Bus, builder: Builder, clock: Callable[[], float] = time.time) -> None:
        self._bucket = bus.bucket(REVISIONS.name, RevisionRecord)
        self._functions: Mirror[FunctionRecord] = Mirror(bus.bucket(FUNCTIONS.name, FunctionRecord))
        self._revisions: Mirror[RevisionRecord] = Mirror(self._bucket)
        self._objects = bus.objects(CODE_OBJECTS)
        self._builder = builder
        self._clock = clock
        self._unused_before: set[str] = set()
        self._seen = (0, 0)  # revisions of both buckets at the pass before
        self._alike = 0  # passes in a row that found them the same
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._functions.start()
        await self._revisions.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._functions.stop()
        await self._revisions.stop()

    def due(self) -> bool:
        """Whether a pass may find something; asked once before each."""
        now = (self._functions.revision, self._revisions.revision)
        self._alike = self._alike + 1 if now == self._seen else 0
        self._seen = now
        return self._alike < SETTLED or self._alike % ALL_THE_SAME == 0

    async def collect(self) -> None:
        """One pass."""
        for key in self._orphan_revisions():
            await self._bucket.delete(key)
        known = [entry.value for entry in self._revisions.entries.values()]
        unused = set(await self._objects.names()) - _code(known)
        for name in unused & self._unused_before:
            if name not in _code([entry.value for entry in await self._bucket.list()]):  # what the leader says, at last
                await self._objects.delete(name)
                log.info("unused code removed", sha256=name)
        self._unused_before = unused
        await self._builder.collect(known)

    def _orphan_revisions(self) -> list[str]:
        referred = {key for entry in self._functions.entries.values() for key in entry.value.revisions.values()}
        old = self._clock() - YOUNG_S
        return [
            entry.key
            for entry in self._revisions.entries.values()
            if entry.key not in referred and entry.value.created_at < old
        ]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                if self.due():
                    await self.collect()
            except Unavailable as error:
                log.info("collection postponed", reason=error.message)
            except Exception:
                log.exception("collection failed")  # the next one tries again


def _code(records: list[RevisionRecord]) -> set[str]:
    return {record.source.sha256 for record in records if isinstance(record.source, CodeSource)}
