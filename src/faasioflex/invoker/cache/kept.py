"""What the cache gives: a kept answer, one that is just coming, or «you have it already»."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.invoker.cache.directives import date_of, opaque, tags_of
from faasioflex.invoker.cache.flight import Flight, Reader
from faasioflex.invoker.http1.framing import ByLength, Framing
from faasioflex.invoker.http1.head import Headers, ResponseHead

STATUS = b"Cache-Status"
OURS = b"faasioflex"  # the name of this cache in Cache-Status
IN_NOT_MODIFIED = frozenset(
    {
        b"cache-control",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"vary",
        b"age",
        b"cache-status",
    }
)
PIECE_BYTES = 64 * 1024  # of a kept answer that are on their way to one who reads slowly


class Kept:
    """An answer whose body is here. ``framing`` is done: nothing is read from anywhere."""

    start_ms: float | None = None

    def __init__(self, head: ResponseHead, revision: int, body: bytes) -> None:
        self.head = head
        self.revision = revision
        self.framing: Framing = ByLength(0)
        self._body = body
        self._at = 0

    @property
    def ready(self) -> bool:
        return True

    @property
    def done(self) -> bool:
        return self._at >= len(self._body)

    async def chunk(self) -> bytes:
        piece = self._body[self._at : self._at + PIECE_BYTES]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        self._body = b""


class Coming:
    """A reader's side of a flight."""

    def __init__(self, flight: Flight, reader: Reader, head: ResponseHead, start_ms: float | None) -> None:
        self.head = head
        self.revision = flight.revision
        self.start_ms = start_ms
        self.framing: Framing = ByLength(0)
        self._flight = flight
        self._reader = reader
        self.done = False

    @property
    def ready(self) -> bool:
        return self._flight.ready(self._reader)

    async def chunk(self) -> bytes:
        piece = await self._flight.chunk(self._reader)
        self.done = not piece
        return piece

    def close(self) -> None:
        self._flight.leave(self._reader)


def with_field(head: ResponseHead, name: bytes, value: bytes) -> ResponseHead:
    return replace(head, headers=[*head.headers, (name, value)])


def status(*parts: str) -> bytes:
    """A Cache-Status (RFC 9211) of ours."""
    return b"; ".join([OURS, *(part.encode() for part in parts)])


def is_known(request: Headers, head: ResponseHead) -> bool:
    """Whether the request says that its sender has this very answer (RFC 9110, 13.2.2)."""
    tags = [value for name, value in request if name.lower() == b"if-none-match"]
    if tags:
        etag = head.get(b"etag")
        if any(value.strip() == b"*" for value in tags):
            return True
        return etag is not None and any(opaque(etag) == opaque(tag) for value in tags for tag in tags_of(value))
    since = [value for name, value in request if name.lower() == b"if-modified-since"]
    if len(since) != 1:
        return False
    known, changed = date_of(since[0]), date_of(head.get(b"last-modified"))
    return known is not None and changed is not None and changed <= known


def not_modified(head: ResponseHead) -> ResponseHead:
    return ResponseHead(
        304, b"Not Modified", [field for field in head.headers if field[0].lower() in IN_NOT_MODIFIED], head.minor
    )
