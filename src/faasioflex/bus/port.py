"""The registry and the bus as the rest of the platform sees them. Drivers: ``bus/nats`` (real), ``bus/memory`` (tests).

Values are frozen dataclasses of ``model``; the driver turns them into JSON and back (``bus/codec``).
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """``revision`` is the stream sequence of the write: it grows over the whole bucket, so it orders all its keys."""

    key: str
    value: T
    revision: int


@dataclass(frozen=True)
class Change(Generic[T]):
    """``value`` is None where the key was deleted."""

    key: str
    value: T | None
    revision: int


@dataclass(frozen=True)
class Snapshot(Generic[T]):
    """All entries as of ``revision``. First of every watch; never repeated: a reconnect yields the differences as changes."""

    entries: tuple[Entry[T], ...]
    revision: int


class Bucket(Protocol[T]):
    """A typed key-value bucket. Every method raises Unavailable while the server is away for longer than its timeout."""

    name: str

    async def get(self, key: str) -> Entry[T] | None:
        """The newest value, read from the leader."""

    async def list(self, prefix: str = "") -> list[Entry[T]]:
        """Entries whose key starts with ``prefix``, sorted by key; [] where there are none."""

    async def keys(self, pattern: str = ">") -> builtins.list[str]:
        """Keys that fit ``pattern`` (tokens with ``*``, ``>`` at its end), sorted; no value is read."""

    async def create(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        """Write where there is nothing (or a deletion marker). Raises Conflict.

        ``ttl_s``: after so long the key is gone by itself, without a trace (whole seconds, at least one); of every write anew.
        """

    async def update(self, key: str, value: T, expected: int, *, ttl_s: float | None = None) -> int:
        """Write if the key's newest revision is ``expected``. Raises Conflict."""

    async def put(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        """Write whatever is there: for keys with one writer only."""

    async def delete(self, key: str, expected: int | None = None) -> None:
        """Remove; no error where there is nothing. With ``expected`` raises Conflict."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[Snapshot[T] | Change[T]]]:
        """A Snapshot, then every Change in order, for as long as the context is open, across reconnects.

        After a reconnect every difference, deletions included, arrives within 1 s (intermediate values may be skipped).
        """


class ObjectStore(Protocol):
    """Blobs by name (sha256 for code)."""

    async def put(self, name: str, data: bytes) -> None:
        """Store whole or not at all; the same name again is a no-op."""

    async def get(self, name: str) -> bytes | None: ...

    async def delete(self, name: str) -> None: ...

    async def names(self) -> list[str]: ...


@dataclass(frozen=True)
class StreamMessage:
    subject: str
    data: bytes
    sequence: int
    time: float  # seconds since the epoch, of the server's storing
    headers: Mapping[str, str] = field(default_factory=dict)  # of ``message``; ``read`` leaves them out


@dataclass(frozen=True, slots=True)
class MessageHead:
    """A stored message without its data, of which ``size`` tells the length in bytes."""

    subject: str
    headers: Mapping[str, str]
    sequence: int
    time: float
    size: int


@dataclass(frozen=True)
class CaughtUp:
    """Everything that was stored when the reading began has been handed out."""


@dataclass(frozen=True)
class Write:
    """One write of a bucket, out of its history. ``data`` is the encoded value, None where the key was deleted."""

    bucket: str
    key: str
    data: bytes | None
    revision: int
    time: float  # seconds since the epoch, of the server's storing


Handler = Callable[[str, bytes], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Asked:
    """A request. ``asker``: the name under which the server let a user's client in; "" for our own parts."""

    subject: str
    data: bytes
    asker: str
    headers: Mapping[str, str] = field(default_factory=dict)


Serve = Callable[[Asked], Awaitable[bytes | None]]


class Bus(Protocol):
    """Subjects (core NATS) and streams (JetStream), plus the buckets of ``bus/buckets``."""

    async def publish(self, subject: str, data: bytes) -> None:
        """Core: at most once, to whoever listens now."""

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Raises Unavailable (nobody answers, server away), DeadlineExceeded."""

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        """Call ``handler(subject, data)`` per message, concurrently; bytes that it returns are the reply. Returns unsubscribe.

        Survives reconnects.
        """

    async def serve(self, subject: str, handler: Serve, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        """As ``subscribe``, for requests of users too: the handler is told who asks."""

    async def append(
        self, subject: str, data: bytes, *, message_id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        """Store in the stream that owns the subject, acknowledged; ``message_id`` makes it once only (2 min window).

        Those begun one after the other are stored in that order, also where none of them is waited for, unless the server was
        away meanwhile. Raises Unavailable; TooManyCalls where a stream that keeps what it has is full; PayloadTooLarge.
        """

    def read(
        self, stream: str, subject: str, *, since: float | None = None, last: int | None = None, follow: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[StreamMessage]]:
        """Stored messages of one subject (wildcards allowed) in order; ends at the newest unless ``follow``.

        ``since``: seconds since the epoch; ``last``: at most that many newest ones.
        """

    def heads(
        self, stream: str, subject: str, *, after: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[MessageHead | CaughtUp]]:
        """All messages of ``subject`` in order without their data, CaughtUp once, and for ever what follows, across reconnects.

        ``after``: a sequence; only those behind it.
        Raises Unavailable before the first CaughtUp only.
        """

    async def last_sequence(self, stream: str) -> int:
        """Of the newest message that a stream has had, whether or not it is there still. Raises Unavailable."""

    async def message(self, stream: str, sequence: int) -> StreamMessage | None:
        """One stored message with its headers; None where it is gone. Raises Unavailable."""

    async def remove(self, stream: str, sequences: Sequence[int]) -> None:
        """Take stored messages out of a stream; those that are gone do not matter. Raises Unavailable (some may be left)."""

    def changes(self, bucket: str, durable: str) -> AbstractAsyncContextManager[AsyncIterator[Write]]:
        """Every write of the bucket in order, each one of the kept history, from where the reader ``durable`` stopped.

        A write counts as handled when the iterator is asked for the one after it; until then it comes again to the next
        reader of that name (at least once). One reader per name at a time.
        """

    def bucket(self, name: str, value_type: type[T]) -> Bucket[T]:
        """The same object for the same name and type."""

    def objects(self, name: str) -> ObjectStore: ...

    @property
    def connected(self) -> bool: ...

    async def close(self) -> None: ...
