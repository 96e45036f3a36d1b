"""Where a response's body ends: by its length, by chunks, or with the connection. Sans I/O."""

from __future__ import annotations

import re
from typing import Protocol

from faasioflex.invoker.http1.head import BadMessage, ResponseHead, content_length

LONGEST_CHUNK_LINE = 1024
LONGEST_TRAILERS = 16 * 1024
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")


class Framing(Protocol):
    """``feed`` takes what was read and returns what of it is body and what lies behind the end; ``done`` says it is reached."""

    done: bool
    ends_with_connection: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]: ...


class ByLength:
    ends_with_connection = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        taken, rest = data[: self._left], data[self._left :]
        self._left -= len(taken)
        self.done = self._left == 0
        return taken, rest


class ByConnection:
    """HTTP/1.0 style: everything until the instance closes."""

    ends_with_connection = True
    done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class Chunked:
    """Decodes chunked coding; extensions and trailers are dropped."""

    ends_with_connection = False

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # bytes of the current chunk that are to come
        self._line = b""  # an unfinished line
        self._expects_end_of_chunk = False
        self._in_trailers = False
        self._trailers_size = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Raises: BadMessage."""
        body: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                self._expects_end_of_chunk = self._left == 0
                body.append(piece)
                continue
            end = data.find(b"\n", at)
            line = self._line + (data[at:] if end < 0 else data[at : end + 1])
            if len(line) > LONGEST_CHUNK_LINE:
                raise BadMessage("a chunk's first line is too long")
            if end < 0:
                self._line = line
                return b"".join(body), b""
            self._line = b""
            at = end + 1
            self._take_line(line)
        return b"".join(body), data[at:]

    def _take_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise BadMessage("a line of the chunked coding does not end in CRLF")
        line = line[:-2]
        if self._in_trailers:
            self._trailers_size += len(line)
            if self._trailers_size > LONGEST_TRAILERS:
                raise BadMessage("the trailers are too long")
            self.done = not line
        elif self._expects_end_of_chunk:
            if line:
                raise BadMessage("a chunk is longer than its size")
            self._expects_end_of_chunk = False
        else:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise BadMessage("a chunk's size is not a number")
            self._left = int(size[1], 16)
            self._in_trailers = self._left == 0


def framing_of(head: ResponseHead, method: str) -> Framing:
    """How the body that follows ``head`` is delimited (RFC 9112, 6.3).

    Raises: BadMessage.
    """
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return ByLength(0)
    codings = head.tokens(b"transfer-encoding")
    if codings:
        if codings != [b"chunked"]:
            raise BadMessage("a transfer coding other than chunked")
        return Chunked()
    length = content_length(head.headers)
    return ByConnection() if length is None else ByLength(length)
