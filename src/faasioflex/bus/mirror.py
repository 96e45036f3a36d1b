"""A watched copy of a bucket in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from faasioflex.bus.port import Bucket, Change, Entry, Snapshot
from faasioflex.model.errors import FfxError, Unavailable

T = TypeVar("T")
Listen = Callable[[set[str]], None]
log = structlog.get_logger(__name__)
RETRY_S = 0.25


class Mirror(Generic[T]):
    """``entries`` is the bucket as of stream sequence ``revision``, at most 1 s behind while the server can be reached.

    ``problem`` tells why there is nothing to read yet (None once the first snapshot is in).
    """

    def __init__(self, bucket: Bucket[T]) -> None:
        self.entries: dict[str, Entry[T]] = {}
        self.revision = 0
        self.problem: str | None = f"{bucket.name} has not been read yet"
        self._bucket = bucket
        self._listeners: dict[int, Listen] = {}
        self._next_listener = 0
        self._task: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self._grown = asyncio.Event()

    async def start(self) -> None:
        """Return when the first snapshot is in ``entries``; waits for the server as long as it takes."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"mirror {self._bucket.name}")
        filled = asyncio.create_task(self._filled.wait())
        try:
            await asyncio.wait({filled, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

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
                    self._grown.clear()
                    await self._grown.wait()

    def listen(self, callback: Listen) -> Callable[[], None]:
        """Call ``callback(keys)`` after every change of ``entries`` (all keys at the first snapshot). Returns unlisten."""
        number = self._next_listener
        self._next_listener += 1
        self._listeners[number] = callback

        def unlisten() -> None:
            self._listeners.pop(number, None)

        return unlisten

    async def _run(self) -> None:
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
            fresh = {entry.key: entry for entry in item.entries}
            touched = {key for key in fresh.keys() | self.entries.keys() if fresh.get(key) != self.entries.get(key)}
            self.entries = fresh
        else:
            touched = {item.key}
            if item.value is None:
                self.entries.pop(item.key, None)
            else:
                self.entries[item.key] = Entry(item.key, item.value, item.revision)
        self.revision = max(self.revision, item.revision)
        self.problem = None
        self._filled.set()
        self._grown.set()
        for callback in list(self._listeners.values()):
            try:
                callback(touched)
            except Exception:
                log.exception("a listener of a mirror failed", bucket=self._bucket.name)
