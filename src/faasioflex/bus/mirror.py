"""A watched copy of a bucket in this process: one for all parts that look at the same bucket of the same bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import structlog

from faasioflex.bus.port import Bucket, Change, Entry, Snapshot
from faasioflex.bus.sharing import shared
from faasioflex.model.errors import FfxError, Unavailable

T = TypeVar("T")
Listen = Callable[[set[str]], None]
log = structlog.get_logger(__name__)
RETRY_S = 0.25


class _Copy(Generic[T]):
    """Runs while one of ``holders`` does; then it is forgotten, and the next holder begins another one."""

    def __init__(self, bucket: Bucket[T]) -> None:
        self.entries: dict[str, Entry[T]] = {}
        self.revision = 0
        self.problem: str | None = f"{bucket.name} has not been read yet"
        self.grown = asyncio.Event()
        self.holders: list[Mirror[T]] = []
        self.filled = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._bucket = bucket

    async def run(self) -> None:
        while True:
            try:
                async with self._bucket.watch() as seen:
                    async for item in seen:
                        self._take(item)
            except Unavailable as error:
                # Only the first snapshot can end so; a running watch waits for the server by itself.
                if self.problem is not None and self.problem != str(error):
                    self.problem = str(error)
                    log.warning("mirror waits for the bus", bucket=self._bucket.name, error=str(error))
            except FfxError as error:
                log.error("mirror reads again", bucket=self._bucket.name, error=str(error))
            await asyncio.sleep(RETRY_S)

    def _take(self, item: Snapshot[T] | Change[T]) -> None:
        if isinstance(item, Snapshot):
            for entry in item.entries:
                shared(entry.value)
            fresh = {entry.key: entry for entry in item.entries}
            touched = {key for key in fresh.keys() | self.entries.keys() if fresh.get(key) != self.entries.get(key)}
            self.entries = fresh
        else:
            touched = {item.key}
            if item.value is None:
                self.entries.pop(item.key, None)
            else:
                self.entries[item.key] = Entry(item.key, shared(item.value), item.revision)
        self.revision = max(self.revision, item.revision)
        self.problem = None
        first = not self.filled.is_set()
        self.filled.set()
        self.grown.set()
        for holder in list(self.holders):
            holder.tell(set(self.entries) if first else touched)


_copies: WeakKeyDictionary[Bucket[Any], _Copy[Any]] = WeakKeyDictionary()


class Mirror(Generic[T]):
    """``entries`` is the bucket as of stream sequence ``revision``, at most 1 s behind while the server can be reached.

    ``problem`` tells why there is nothing to read yet (None once the first snapshot is in). Mirrors of one bucket object (a bus
    gives the same one to all who ask for it) share one copy: ten thousand records are read, decoded and held once.
    """

    def __init__(self, bucket: Bucket[T]) -> None:
        self._bucket = bucket
        self._copy: _Copy[T] = _Copy(bucket)  # until it starts: nothing
        self._listeners: dict[int, Listen] = {}
        self._next_listener = 0

    @property
    def entries(self) -> dict[str, Entry[T]]:
        return self._copy.entries

    @property
    def revision(self) -> int:
        return self._copy.revision

    @property
    def problem(self) -> str | None:
        return self._copy.problem

    async def start(self) -> None:
        """Return when the first snapshot is in ``entries``; waits for the server as long as it takes."""
        if self not in self._copy.holders:
            self._copy = _copies.setdefault(self._bucket, _Copy(self._bucket))
            self._copy.holders.append(self)
            if self._copy.task is None:
                self._copy.task = asyncio.create_task(self._copy.run(), name=f"mirror {self._bucket.name}")
            elif self._copy.filled.is_set():
                self.tell(set(self._copy.entries))
        assert self._copy.task is not None  # noqa: S101 - as long as there are holders
        filled = asyncio.create_task(self._copy.filled.wait())
        try:
            await asyncio.wait({filled, self._copy.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()
        if self._copy.task.done():
            self._copy.task.result()

    async def stop(self) -> None:
        """Listeners hear nothing any more."""
        copy = self._copy
        if self not in copy.holders:
            return
        copy.holders.remove(self)
        if copy.holders:
            return
        _copies.pop(self._bucket, None)
        if copy.task is not None:
            copy.task.cancel()
            await asyncio.gather(copy.task, return_exceptions=True)

    async def catch_up(self, key: str, within_s: float = 1.0) -> None:
        """Return when ``entries`` has what the leader has of ``key`` now; after ``within_s`` as it is.

        A key that is gone there is not waited for. Raises: Unavailable.
        """
        entry = await self._bucket.get(key)
        if entry is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.revision < entry.revision:
                    self._copy.grown.clear()
                    await self._copy.grown.wait()

    def listen(self, callback: Listen) -> Callable[[], None]:
        """Call ``callback(keys)`` after every change of ``entries`` (all keys at the start). Returns unlisten."""
        number = self._next_listener
        self._next_listener += 1
        self._listeners[number] = callback

        def unlisten() -> None:
            self._listeners.pop(number, None)

        return unlisten

    def tell(self, keys: set[str]) -> None:
        """Of the copy: these changed."""
        for callback in list(self._listeners.values()):
            try:
                callback(keys)
            except Exception:
                log.exception("a listener of a mirror failed", bucket=self._bucket.name)
