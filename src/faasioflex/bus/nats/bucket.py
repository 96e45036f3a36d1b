"""A typed bucket over JetStream's key-value layout (``nats kv`` reads it too)."""

from __future__ import annotations

import builtins
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Generic, TypeVar
from uuid import uuid4

from faasioflex.bus.codec import encode
from faasioflex.bus.nats.feed import Record
from faasioflex.bus.nats.jetstream import MESSAGE_NOT_FOUND, STREAM_NOT_FOUND, ApiError, JetStream, RepeatedConflict
from faasioflex.bus.nats.messages import StoredMessage
from faasioflex.bus.nats.streams import read_all, read_newest, read_newest_heads
from faasioflex.bus.nats.values import (
    DELETED,
    OPERATION,
    is_removal,
    key_of,
    read_value,
    stream_of,
    subject_of,
    value_of,
)
from faasioflex.bus.nats.watch import RESYNC_S, Watch
from faasioflex.bus.port import Change, Entry, Snapshot
from faasioflex.bus.subjects import checked_key
from faasioflex.model.errors import Conflict, Unavailable

T = TypeVar("T")
MARKER_TTL_S = 3600  # of deletion markers in buckets without history; watchers that were away longer compare key by key
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
MESSAGE_ID = "Nats-Msg-Id"
TTL = "Nats-TTL"


class NatsBucket(Generic[T]):
    """Writes carry a message id of their own, so one whose acknowledgement was lost with the connection is sent again safely.

    Where the repeated write meets a newer sequence, the id tells whether that is our own, which is then a success. What
    remains: ours was stored, the server died, and somebody changed the key before we asked again, in a bucket without
    history. The answer is Conflict, which is true: what we wrote is not the newest any more.
    """

    def __init__(
        self, jetstream: JetStream, name: str, value_type: type[T], *, history: int, resync_s: float = RESYNC_S
    ) -> None:
        self.name = name
        self._jetstream, self._type = jetstream, value_type
        self._keeps_history = history > 1
        self._resync_s = resync_s

    async def get(self, key: str) -> Entry[T] | None:
        message = await self._newest(key)
        if message is None or is_removal(message.headers):
            return None
        return Entry(key, read_value(self._type, message.data, bucket=self.name, key=key), message.sequence)

    async def list(self, prefix: str = "") -> list[Entry[T]]:
        # The server filters by whole tokens only: «acme.» there, «acme.he» here.
        tokens, dot, _ = prefix.rpartition(".")
        subject = subject_of(self.name, f"{tokens}{dot}>")
        found: dict[str, Entry[T]] = {}

        def take(record: Record) -> None:
            key = key_of(self.name, record.subject)
            if not key.startswith(prefix):
                return
            value = None if is_removal(record.headers) else value_of(self._type, self.name, record)
            if value is None:
                found.pop(key, None)
            else:
                found[key] = Entry(key, value, record.sequence)

        await read_newest(self._jetstream, stream_of(self.name), subject, take, found.clear)
        return [found[key] for key in sorted(found)]

    async def keys(self, pattern: str = ">") -> builtins.list[str]:
        found: set[str] = set()

        def take(record: Record) -> None:
            key = key_of(self.name, record.subject)
            if is_removal(record.headers):
                found.discard(key)
            else:
                found.add(key)

        await read_newest_heads(
            self._jetstream, stream_of(self.name), subject_of(self.name, pattern), take, found.clear
        )
        return sorted(found)

    async def create(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        data, message_id = encode(value), uuid4().hex
        expected = 0
        while True:
            try:
                return await self._store(key, data, message_id, expected=expected, headers=_ending(ttl_s))
            except Conflict:
                # A deletion marker counts as a message of the key, as long as it is there.
                message = await self._newest(key)
                if message is not None and not is_removal(message.headers):
                    raise Conflict(f"{self.name} {key} exists") from None
                newest = 0 if message is None else message.sequence
                if newest == expected:
                    raise
                expected = newest

    async def update(self, key: str, value: T, expected: int, *, ttl_s: float | None = None) -> int:
        return await self._store(key, encode(value), uuid4().hex, expected=expected, headers=_ending(ttl_s))

    async def put(self, key: str, value: T, *, ttl_s: float | None = None) -> int:
        return await self._store(key, encode(value), uuid4().hex, headers=_ending(ttl_s))

    async def delete(self, key: str, expected: int | None = None) -> None:
        if expected is None:
            message = await self._newest(key)
            if message is None or is_removal(message.headers):
                return
        headers = {OPERATION: DELETED}
        if not self._keeps_history:
            headers[TTL] = str(MARKER_TTL_S)
        await self._store(key, b"", uuid4().hex, expected=expected, headers=headers)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Snapshot[T] | Change[T]]]:
        async with aclosing(Watch(self._jetstream, self.name, self._type, self._resync_s).items()) as items:
            yield items

    async def _store(
        self,
        key: str,
        data: bytes,
        message_id: str,
        *,
        expected: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        held = {MESSAGE_ID: message_id, **(headers or {})}
        if expected is not None:
            held[EXPECTED] = str(expected)
        subject = subject_of(self.name, checked_key(key))
        try:
            return (await self._jetstream.store(subject, data, held)).sequence
        except RepeatedConflict:
            ours = await self._sequence_of(subject, message_id)
            if ours is None:
                raise
            return ours

    async def _sequence_of(self, subject: str, message_id: str) -> int | None:
        """Where in the kept history of a key the write with that id is."""
        found: list[int] = []

        def take(record: Record) -> None:
            if record.headers is not None and record.headers.get(MESSAGE_ID) == message_id:
                found.append(record.sequence)

        await read_all(self._jetstream, stream_of(self.name), subject, take, found.clear)
        return found[0] if found else None

    async def _newest(self, key: str) -> StoredMessage | None:
        """The key's newest message, markers included. MSG.GET is answered by the stream's leader, never by a replica."""
        request = {"last_by_subj": subject_of(self.name, checked_key(key))}
        try:
            answer = await self._jetstream.api(f"STREAM.MSG.GET.{stream_of(self.name)}", request)
        except ApiError as error:
            if error.number == MESSAGE_NOT_FOUND:
                return None
            if error.number == STREAM_NOT_FOUND:
                raise Unavailable(f"There is no bucket {self.name} yet") from error
            raise Unavailable(f"{self.name} cannot be read: {error}") from error
        return StoredMessage.of(answer["message"])


def _ending(ttl_s: float | None) -> dict[str, str] | None:
    return None if ttl_s is None else {TTL: str(max(1, math.ceil(ttl_s)))}
