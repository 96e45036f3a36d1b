"""Blobs in JetStream's object store layout (``nats object`` reads it too): chunks first, then the entry that makes it exist."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from faasioflex.bus.nats.feed import SECOND_NS, Record, open_feed, to_the_end
from faasioflex.bus.nats.jetstream import MESSAGE_NOT_FOUND, ApiError, JetStream
from faasioflex.bus.nats.messages import StoredMessage
from faasioflex.bus.nats.streams import read_newest, until
from faasioflex.model.errors import FfxError, Unavailable

CHUNK_BYTES = 1024 * 1024
ORPHAN_S = 3600.0  # chunks without an entry are left alone so long: their writer may be at work


@dataclass(frozen=True)
class _Entry:
    nuid: str
    size: int
    digest: str

    @classmethod
    def of(cls, data: bytes) -> _Entry | None:
        """None for the tombstone that other clients leave."""
        info: dict[str, Any] = json.loads(data)
        if info.get("deleted"):
            return None
        return cls(info["nuid"], int(info.get("size", 0)), info.get("digest", ""))


class NatsObjects:
    """Every method raises Unavailable while the server is away for longer than the connection's timeout."""

    def __init__(self, jetstream: JetStream, name: str) -> None:
        self._jetstream, self._name = jetstream, name
        self._stream = f"OBJ_{name}"

    async def put(self, name: str, data: bytes) -> None:
        """Without the entry, which is written last, the chunks are nothing; :meth:`collect` removes such."""
        if await self._entry(name) is not None:
            return
        nuid, digest = uuid4().hex, await asyncio.to_thread(_digest, data)
        starts = range(0, len(data), CHUNK_BYTES)
        try:
            # One after the other: a chunk that is sent again after a lost connection could otherwise come behind the next.
            for number, start in enumerate(starts):
                chunk, message_id = data[start : start + CHUNK_BYTES], {"Nats-Msg-Id": f"{nuid}-{number}"}
                await self._jetstream.store(self._chunks(nuid), chunk, message_id)
            await self._write_entry(name, nuid, len(data), len(starts), digest)
        except BaseException as error:
            if not isinstance(error, Unavailable):
                with contextlib.suppress(Exception):
                    await self._purge(self._chunks(nuid))
            raise

    async def get(self, name: str) -> bytes | None:
        """Raises FfxError where what is stored is not what was put."""
        while True:
            entry = await self._entry(name)
            if entry is None:
                return None
            data = await self._read(entry)
            if len(data) == entry.size and entry.digest in ("", await asyncio.to_thread(_digest, data)):
                return data
            if await self._entry(name) == entry:
                raise FfxError(f"The stored object {name} is damaged: {len(data)} of {entry.size} bytes are there")

    async def delete(self, name: str) -> None:
        entry = await self._entry(name)
        await self._purge(self._entry_subject(name))
        if entry is not None:
            await self._purge(self._chunks(entry.nuid))

    async def names(self) -> list[str]:
        return sorted(await self._entries())

    async def collect(self, now: float | None = None) -> int:
        """Remove the chunks of puts that never finished; how many objects' worth."""
        before_ns = ((time.time() if now is None else now) - ORPHAN_S) * SECOND_NS
        prefix, found = f"$O.{self._name}.C.", dict[str, int]()

        def take(record: Record) -> None:
            found[record.subject.removeprefix(prefix)] = record.time_ns

        await read_newest(self._jetstream, self._stream, f"{prefix}>", take, found.clear)
        held = {entry.nuid for entry in (await self._entries()).values()}
        orphans = [nuid for nuid, stored_ns in found.items() if nuid not in held and stored_ns < before_ns]
        for nuid in orphans:
            await self._purge(self._chunks(nuid))
        return len(orphans)

    async def _write_entry(self, name: str, nuid: str, size: int, chunks: int, digest: str) -> None:
        info = {
            "name": name,
            "options": {"max_chunk_size": CHUNK_BYTES},
            "bucket": self._name,
            "nuid": nuid,
            "size": size,
            "chunks": chunks,
            "digest": digest,
            "mtime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        headers = {"Nats-Rollup": "sub", "Nats-Msg-Id": nuid}
        await self._jetstream.store(self._entry_subject(name), json.dumps(info).encode(), headers)

    async def _read(self, entry: _Entry) -> bytes:
        parts: list[bytes] = []
        deadline = self._jetstream.connection.deadline()
        while entry.size:
            link = await self._jetstream.connection.link(deadline)
            async with until(deadline, self._stream):
                parts.clear()
                async with open_feed(link, self._stream, self._chunks(entry.nuid), {"deliver_policy": "all"}) as feed:
                    async for record in to_the_end(feed):
                        parts.append(record.data)
                        deadline = self._jetstream.connection.deadline()
                break
        return b"".join(parts)

    async def _entry(self, name: str) -> _Entry | None:
        request = {"last_by_subj": self._entry_subject(name)}
        try:
            answer = await self._jetstream.api(f"STREAM.MSG.GET.{self._stream}", request)
        except ApiError as error:
            if error.number == MESSAGE_NOT_FOUND:
                return None
            raise Unavailable(f"{self._name} cannot be read: {error}") from error
        return _Entry.of(StoredMessage.of(answer["message"]).data)

    async def _entries(self) -> dict[str, _Entry]:
        prefix, found = f"$O.{self._name}.M.", dict[str, _Entry]()

        def take(record: Record) -> None:
            name = base64.urlsafe_b64decode(record.subject.removeprefix(prefix)).decode()
            entry = _Entry.of(record.data)
            found.pop(name, None) if entry is None else found.update({name: entry})

        await read_newest(self._jetstream, self._stream, f"{prefix}>", take, found.clear)
        return found

    async def _purge(self, subject: str) -> None:
        try:
            await self._jetstream.api(f"STREAM.PURGE.{self._stream}", {"filter": subject})
        except ApiError as error:
            raise Unavailable(f"{self._name} cannot be changed: {error}") from error

    def _entry_subject(self, name: str) -> str:
        return f"$O.{self._name}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"

    def _chunks(self, nuid: str) -> str:
        return f"$O.{self._name}.C.{nuid}"


def _digest(data: bytes) -> str:
    return "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
