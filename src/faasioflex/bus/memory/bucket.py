"""Buckets in memory: a log of writes per bucket, as a stream would keep it."""

from __future__ import annotations

import asyncio
import builtins
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Change, Entry, Snapshot, Write
from faasioflex.bus.subjects import checked_key, matches
from faasioflex.model.errors import Conflict

T = TypeVar("T")


class BucketLog:
    """What all handles of one bucket share. Sequences grow over the whole bucket; ``history`` writes per key are kept."""

    def __init__(self, name: str, history: int, now: Callable[[], float]) -> None:
        self.name = name
        self.sequence = 0
        self.writes: list[Write] = []
        self.newest: dict[str, Write] = {}
        self.watchers: set[asyncio.Queue[Write]] = set()
        self.handled: dict[str, int] = {}
        self.grown = asyncio.Event()
        self._history = history
        self._now = now
        self._ends: list[tuple[float, int, str]] = []  # when, sequence, key

    def expire(self) -> None:
        """What has outlived its time is gone, without a trace in the log."""
        while self._ends and self._ends[0][0] <= self._now():
            _, sequence, key = heapq.heappop(self._ends)
            held = self.newest.get(key)
            if held is not None and held.revision == sequence:
                del self.newest[key]
                self.writes = [write for write in self.writes if write.key != key]
                for queue in self.watchers:
                    queue.put_nowait(Write(self.name, key, None, self.sequence, self._now()))

    def write(self, key: str, data: bytes | None, expected: int | None = None, ttl_s: float | None = None) -> int:
        """Append. ``expected`` is the key's newest sequence (0: never written); raises Conflict where it is another."""
        self.expire()
        last = self.newest[key].revision if key in self.newest else 0
        if expected is not None and expected != last:
            raise Conflict(f"{self.name} {key} is at {last}, not at {expected}: read it again")
        self.sequence += 1
        made = Write(self.name, key, data, self.sequence, self._now())
        self.newest[key] = made
        if ttl_s is not None:
            heapq.heappush(self._ends, (made.time + ttl_s, made.revision, key))
        self.writes.append(made)
        same = [write for write in self.writes if write.key == key]
        if len(same) > self._history:
            self.writes.remove(same[0])
        for queue in self.watchers:
            queue.put_nowait(made)
        self.grown.set()
        self.grown = asyncio.Event()
        return self.sequence


class MemoryBucket(Generic[T]):
    def __init__(self, log: BucketLog, value_type: type[T]) -> None:
        self.name = log.name
        self._log = log
        self._type = value_type

    def _entry(self, write: Write | None) -> Entry[T] | None:
        if write is None or write.data is None:
            return None
        return Entry(write.key, decode(self._type, write.data), write.revision)

    def _entries(self) -> tuple[Entry[T], ...]:
        self._log.expire()
        found = (self._entry(self._log.newest[key]) for key in sorted(self._log.newest))
        return tuple(entry for entry in found if entry is not None)

    async def get(self, key: str) -> Entry[T] | None:
        self._log.expire()
        return self._entry(self._log.newest.get(checked_key(key)))

    async def list(self, prefix: str = "") -> list[Entry[T]]:
        return [entry for entry in self._entries() if entry.key.startswith(prefix)]

    async def keys(self, pattern: str = ">") -> builtins.list[str]:
        return [entry.key for entry in self._entries() if matches(pattern, entry.key)]

    async def create(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        self._log.expire()
        last = self._log.newest.get(checked_key(key))
        if last is not None and last.data is not None:
            raise Conflict(f"{self.name} {key} exists")
        return self._log.write(key, encode(value), ttl_s=ttl_s)

    async def update(self, key: str, value: T, expected: int, *, ttl_s: float | None = None) -> int:
        return self._log.write(checked_key(key), encode(value), expected, ttl_s)

    async def put(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        return self._log.write(checked_key(key), encode(value), ttl_s=ttl_s)

    async def delete(self, key: str, expected: int | None = None) -> None:
        last = self._log.newest.get(checked_key(key))
        if last is None or last.data is None:
            if expected is not None:
                raise Conflict(f"{self.name} {key} is gone: read it again")
            return
        self._log.write(key, None, expected)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Snapshot[T] | Change[T]]]:
        queue: asyncio.Queue[Write] = asyncio.Queue()
        self._log.watchers.add(queue)
        snapshot = Snapshot(self._entries(), self._log.sequence)

        async def items() -> AsyncIterator[Snapshot[T] | Change[T]]:
            yield snapshot
            while True:
                write = await queue.get()
                entry = self._entry(write)
                yield Change(write.key, None if entry is None else entry.value, write.revision)

        try:
            yield items()
        finally:
            self._log.watchers.discard(queue)
