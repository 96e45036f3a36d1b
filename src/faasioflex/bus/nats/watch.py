"""A watch: a snapshot, then every change, across any number of connections.

The watcher knows the sequence of every key, deletion markers included. On a new connection it goes on right behind the last
sequence that it saw, if it is still the same stream: deletions are messages, so nothing can be missed. Then, and every
``RESYNC_S``, it compares its position and its count of keys with the server's; where they differ (a record expired, a
stream was restored from a backup) it reads the whole bucket again and yields the differences.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from sys import intern
from typing import Generic, TypeVar

import structlog

from faasioflex.bus.nats.feed import API_S, Feed, Record, open_feed, to_the_end
from faasioflex.bus.nats.jetstream import PAUSE_S, ApiError, Away, JetStream, ask_api
from faasioflex.bus.nats.link import Link
from faasioflex.bus.nats.values import StreamState, is_removal, key_of, stream_of, subject_of, value_of
from faasioflex.bus.port import Change, Entry, Snapshot
from faasioflex.model.errors import Unavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)
RESYNC_S = 30.0
UNSURE_LIMIT = 10


class Watch(Generic[T]):
    def __init__(self, jetstream: JetStream, bucket: str, value_type: type[T], resync_s: float = RESYNC_S) -> None:
        self._jetstream = jetstream
        self._bucket, self._type = bucket, value_type
        self._stream = stream_of(bucket)
        self._resync_s = resync_s
        self._known: dict[str, int] = {}  # key -> sequence of its last message, below zero where that is a deletion
        self._position = 0
        self._created = ""
        self._whole = False  # whether _known is a complete picture as of _position
        self._started = False  # whether the snapshot was handed out
        self._behind: int | None = None  # a sequence that the server had and we had not, at the check before
        self._unsure = 0  # checks in a row that came to no result, because changes were on their way

    async def items(self) -> AsyncGenerator[Snapshot[T] | Change[T], None]:
        """Raises Unavailable only before the snapshot."""
        connection = self._jetstream.connection
        deadline = connection.deadline()
        while True:
            link = await connection.link(None if self._started else deadline)
            try:
                async with aclosing(self._session(link)) as session:
                    async for item in session:
                        yield item
            except (Away, ApiError, TimeoutError) as error:
                if not self._started and asyncio.get_running_loop().time() >= deadline:
                    raise Unavailable(f"{self._bucket} cannot be read: {error}") from error
                log.debug("watch begins again", bucket=self._bucket, reason=str(error))
                await asyncio.sleep(PAUSE_S)

    async def _session(self, link: Link) -> AsyncGenerator[Snapshot[T] | Change[T], None]:
        """All items of one feed. Ends where the whole bucket must be read again."""
        state = await self._state(link)
        resume = self._whole and state.created == self._created and state.last_sequence >= self._position
        start: dict[str, object] = {"deliver_policy": "last_per_subject"}
        if resume:
            start = {"deliver_policy": "by_start_sequence", "opt_start_seq": self._position + 1}
        async with open_feed(link, self._stream, subject_of(self._bucket, ">"), start) as feed:
            if not resume:
                self._whole = False
                async with aclosing(self._scan(feed, state)) as scan:
                    async for item in scan:
                        yield item
                self._created, self._whole = state.created, True
            async with aclosing(self._follow(feed, link)) as following:
                async for change in following:
                    yield change

    async def _follow(self, feed: Feed, link: Link) -> AsyncGenerator[Change[T], None]:
        clock = asyncio.get_running_loop().time
        check_at = clock()
        left, idle = feed.pending, False
        while True:
            if left == 0 and clock() >= check_at and (self._behind is None or idle):
                if not await self._in_step(link):
                    self._whole, self._behind, self._unsure = False, None, 0
                    return
                check_at = clock() + (self._resync_s if self._behind is None else 0)
            record = await feed.next()
            idle = record is None
            if record is None:
                left = 0
                continue
            left = record.pending
            change = self._take(record)
            if change is not None:
                yield change

    async def _scan(self, feed: Feed, state: StreamState) -> AsyncGenerator[Snapshot[T] | Change[T], None]:
        """Read the newest message of every key: the Snapshot, or on later calls what differs from what is known."""
        if not self._started:
            self._known.clear()
        seen: set[str] = set()
        entries: dict[str, Entry[T]] = {}
        async for record in to_the_end(feed):
            key = key_of(self._bucket, record.subject)
            seen.add(key)
            if self._started and self._known.get(key) == _noted(record):
                continue
            change = self._take(record)
            if change is None:
                continue
            if self._started:
                yield change
            elif change.value is None:
                entries.pop(key, None)
            else:
                entries[key] = Entry(key, change.value, change.revision)
        self._position = max((state.last_sequence, *(abs(sequence) for sequence in self._known.values())))
        if not self._started:
            self._started = True
            yield Snapshot(tuple(entries[key] for key in sorted(entries)), self._position)
        for key in [key for key in self._known if key not in seen]:
            if self._known.pop(key) > 0:
                yield Change(key, None, self._position)

    def _take(self, record: Record) -> Change[T] | None:
        """Note the record; what it changed, or None where it cannot be read."""
        key = intern(key_of(self._bucket, record.subject))  # the key of other buckets' records too
        self._known[key] = _noted(record)
        self._position = max(self._position, record.sequence)
        if self._known[key] < 0:
            return Change(key, None, record.sequence)
        value = value_of(self._type, self._bucket, record)
        return None if value is None else Change(key, value, record.sequence)

    async def _in_step(self, link: Link) -> bool:
        """Whether position and number of keys are the server's. A change that is on its way gets until the next quiet look."""
        state = await self._state(link)
        behind, self._behind = self._behind, None
        if state.created != self._created or state.last_sequence < self._position:
            return False
        if state.last_sequence == self._position:
            self._unsure = 0
            return state.subjects == len(self._known)
        if behind is not None:
            self._unsure += 1
            return self._position >= behind and self._unsure < UNSURE_LIMIT
        self._behind = state.last_sequence
        return True

    async def _state(self, link: Link) -> StreamState:
        return StreamState.of(await ask_api(link, f"STREAM.INFO.{self._stream}", None, API_S))


def _noted(record: Record) -> int:
    return -record.sequence if is_removal(record.headers) else record.sequence
