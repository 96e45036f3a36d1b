"""``MemoryBus``: subjects, streams, buckets and object stores inside one event loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from faasioflex.bus.buckets import BUCKETS, STREAMS
from faasioflex.bus.memory.bucket import BucketLog, MemoryBucket
from faasioflex.bus.memory.objects import MemoryObjects
from faasioflex.bus.memory.streams import MemoryStream
from faasioflex.bus.port import (
    Asked,
    Bucket,
    CaughtUp,
    Handler,
    MessageHead,
    ObjectStore,
    Serve,
    StreamMessage,
    Write,
)
from faasioflex.bus.subjects import matches
from faasioflex.model.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Subscription:
    subject: str
    handler: Serve
    queue: str


class MemoryBus:
    """``now`` stamps what is stored (seconds since the epoch)."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._subscriptions: list[_Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        history = {plan.name: plan.history for plan in BUCKETS}
        self._logs = {name: BucketLog(name, kept, now) for name, kept in history.items()}
        self._streams = {plan.name: MemoryStream(plan, now) for plan in STREAMS}
        self._objects: dict[str, MemoryObjects] = {}
        self._buckets: dict[tuple[str, type], MemoryBucket[Any]] = {}
        self._connected = True

    @property
    def connected(self) -> bool:
        return self._connected

    async def publish(self, subject: str, data: bytes) -> None:
        self._store(subject, data, None)
        self._deliver(subject, data, None)

    async def request(
        self,
        subject: str,
        data: bytes,
        timeout_s: float,
        *,
        asker: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if not self._deliver(subject, data, answer, Asked(subject, data, asker, headers or {})):
            raise Unavailable(f"Nobody answers on {subject}")
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise DeadlineExceeded(f"No answer on {subject} within {timeout_s:g} s") from error

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        return await self.serve(subject, lambda asked: handler(asked.subject, asked.data), queue=queue)

    async def serve(self, subject: str, handler: Serve, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        made = _Subscription(subject, handler, queue)
        self._subscriptions.append(made)

        async def unsubscribe() -> None:
            if made in self._subscriptions:
                self._subscriptions.remove(made)

        return unsubscribe

    async def append(
        self, subject: str, data: bytes, *, message_id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        sequence = self._store(subject, data, message_id, headers)
        if sequence is None:
            raise Unavailable(f"No stream keeps {subject}")
        self._deliver(subject, data, None)
        return sequence

    @asynccontextmanager
    async def read(
        self, stream: str, subject: str, *, since: float | None = None, last: int | None = None, follow: bool = False
    ) -> AsyncIterator[AsyncIterator[StreamMessage]]:
        yield self._stream(stream).read(subject, since, last, follow)

    @asynccontextmanager
    async def heads(
        self, stream: str, subject: str, *, after: int = 0
    ) -> AsyncIterator[AsyncIterator[MessageHead | CaughtUp]]:
        yield self._stream(stream).heads(subject, after)

    async def last_sequence(self, stream: str) -> int:
        return self._stream(stream).last_sequence

    async def message(self, stream: str, sequence: int) -> StreamMessage | None:
        return self._stream(stream).message(sequence)

    async def remove(self, stream: str, sequences: Sequence[int]) -> None:
        self._stream(stream).remove(sequences)

    @asynccontextmanager
    async def changes(self, bucket: str, durable: str) -> AsyncIterator[AsyncIterator[Write]]:
        held = self._log(bucket)

        async def writes() -> AsyncIterator[Write]:
            while True:
                grown, handled = held.grown, held.handled.get(durable, 0)
                following = [write for write in held.writes if write.revision > handled]
                for write in following:
                    yield write
                    held.handled[durable] = write.revision
                if not following:
                    await grown.wait()

        yield writes()

    def bucket(self, name: str, value_type: type[T]) -> Bucket[T]:
        made: MemoryBucket[T] = self._buckets.setdefault((name, value_type), MemoryBucket(self._log(name), value_type))
        return made

    def objects(self, name: str) -> ObjectStore:
        return self._objects.setdefault(name, MemoryObjects())

    async def close(self) -> None:
        self._connected = False
        self._subscriptions.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _log(self, name: str) -> BucketLog:
        return self._logs.setdefault(name, BucketLog(name, 1, self._now))

    def _stream(self, name: str) -> MemoryStream:
        if name not in self._streams:
            raise Unavailable(f"There is no stream {name}")
        return self._streams[name]

    def _store(
        self, subject: str, data: bytes, message_id: str | None, headers: Mapping[str, str] | None = None
    ) -> int | None:
        for stream in self._streams.values():
            if stream.takes(subject):
                return stream.append(subject, data, message_id, headers)
        return None

    def _deliver(
        self, subject: str, data: bytes, answer: asyncio.Future[bytes] | None, asked: Asked | None = None
    ) -> int:
        """Hand to every subscription, and to one member of each queue group. Returns how many got it."""
        fitting = [held for held in self._subscriptions if matches(held.subject, subject)]
        chosen = [held for held in fitting if not held.queue]
        for queue in sorted({held.queue for held in fitting if held.queue}):
            chosen.append(random.choice([held for held in fitting if held.queue == queue]))  # noqa: S311
        for held in chosen:
            task = asyncio.create_task(self._handle(held.handler, asked or Asked(subject, data, ""), answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(chosen)

    async def _handle(self, handler: Serve, asked: Asked, answer: asyncio.Future[bytes] | None) -> None:
        try:
            reply = await handler(asked)
        except Exception:
            log.exception("a handler of a bus message failed", subject=asked.subject)
            return
        if reply is not None and answer is not None and not answer.done():
            answer.set_result(reply)
