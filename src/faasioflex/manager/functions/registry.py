"""The buckets that the use cases work on, with watched copies for what would be a scan otherwise."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from contextlib import ExitStack

from faasioflex.bus import buckets
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bucket, Bus, Entry, ObjectStore
from faasioflex.manager.archive.canonical import Code
from faasioflex.model.errors import Conflict, FfxError, FunctionNotFound, Invalid
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.status import DesiredScale, FunctionStatus

SORT_ALL = 100  # changes at once, from which on sorting anew is cheaper


class Registry:
    """``functions``, ``statuses`` and ``scales`` are mirrors, for lists and for waiting; single reads go to the leader.

    ``problem`` is None once they have been read.
    """

    def __init__(self, bus: Bus) -> None:
        self.records: Bucket[FunctionRecord] = bus.bucket(buckets.FUNCTIONS.name, FunctionRecord)
        self.revisions: Bucket[RevisionRecord] = bus.bucket(buckets.REVISIONS.name, RevisionRecord)
        self._status: Bucket[FunctionStatus] = bus.bucket(buckets.STATUS.name, FunctionStatus)
        self.code: ObjectStore = bus.objects(buckets.CODE_OBJECTS)
        self.functions = Mirror(self.records)
        self.names: list[str] = []  # keys of ``functions``, sorted
        self.functions.listen(self._sort)
        self.statuses = Mirror(self._status)
        self.scales: Mirror[DesiredScale] = Mirror(bus.bucket(buckets.SCALE.name, DesiredScale))
        self._written = 0

    async def start(self) -> None:
        await asyncio.gather(self.functions.start(), self.statuses.start(), self.scales.start())

    async def stop(self) -> None:
        await asyncio.gather(self.functions.stop(), self.statuses.stop(), self.scales.stop())

    def _sort(self, keys: set[str]) -> None:
        if len(keys) > SORT_ALL:
            self.names = sorted(self.functions.entries)
            return
        for key in keys:
            at = bisect_left(self.names, key)
            listed = at < len(self.names) and self.names[at] == key
            if key not in self.functions.entries:
                del self.names[at : at + listed]
            elif not listed:
                self.names.insert(at, key)

    @property
    def problem(self) -> str | None:
        return self.functions.problem or self.statuses.problem or self.scales.problem

    async def look(self, function: FunctionName) -> Entry[FunctionRecord] | None:
        """The newest record, from the leader. Raises: Unavailable."""
        try:
            return await self.records.get(function.key)
        except Invalid as error:  # nothing that the caller could do differently
            raise FfxError(f"The stored record of {function} cannot be read: {error}") from error

    async def find(self, function: FunctionName) -> Entry[FunctionRecord]:
        """As :meth:`look`. Raises: FunctionNotFound, Unavailable."""
        entry = await self.look(function)
        if entry is None:
            raise FunctionNotFound(f"There is no function {function} that you may see")
        return entry

    async def status(self, record: FunctionRecord) -> FunctionStatus | None:
        """What the manager last said of exactly this registration; None where it has not said anything."""
        entry = await self._status.get(record.function.key)
        return entry.value if entry is not None and entry.value.function_uid == record.uid else None

    def status_seen(self, record: FunctionRecord) -> FunctionStatus | None:
        """The same from the mirror."""
        entry = self.statuses.entries.get(record.function.key)
        return entry.value if entry is not None and entry.value.function_uid == record.uid else None

    def scale_seen(self, record: FunctionRecord) -> DesiredScale | None:
        """What the autoscaler last decided of exactly this registration; milliseconds behind."""
        entry = self.scales.entries.get(record.function.key)
        return entry.value if entry is not None and entry.value.function_uid == record.uid else None

    async def prepare(self, key: str, revision: RevisionRecord, code: Code | None) -> None:
        """What comes before the commit: the code, then the revision that names it.

        The code is put twice: a collector that took it for unused just before the revision was there may have removed it,
        and from then on it does not. Putting what is there is one look.
        """
        if code is not None:
            await self.code.put(code.source.sha256, code.packed)
        await self.revisions.create(key, revision)
        if code is not None:
            await self.code.put(code.source.sha256, code.packed)

    async def commit(self, record: FunctionRecord, expected: int | None) -> Entry[FunctionRecord]:
        """The one write of a change. Raises: Conflict where somebody else wrote first."""
        key = record.function.key
        try:
            if expected is None:
                revision = await self.records.create(key, record)
            else:
                revision = await self.records.update(key, record, expected)
        except Conflict:
            # The server may have died after storing and before answering: then the write that is in the way is this one.
            entry = await self.records.get(key)
            if entry is None or entry.value != record:
                raise
            revision = entry.revision
        self._written = max(self._written, revision)
        return Entry(key, record, revision)

    async def caught_up(self, timeout_s: float = 2.0) -> None:
        """Wait until the mirror shows what this process wrote (it is milliseconds behind); past ``timeout_s`` go on."""
        await self.until(lambda: self.functions.revision >= self._written, timeout_s)

    async def until(self, happened: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for something that the mirrors show. False where ``timeout_s`` passed first."""
        if happened():
            return True
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look(_: set[str]) -> None:
            if not seen.done() and happened():
                seen.set_result(None)

        with ExitStack() as listening:
            listening.callback(self.functions.listen(look))
            listening.callback(self.statuses.listen(look))
            await asyncio.wait({seen}, timeout=timeout_s)
            seen.cancel()
        return happened()
