"""Decompression in bounded steps: no call ever produces more than a chunk, whatever the input claims."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator

from faasioflex.manager.archive.limits import CHUNK_BYTES
from faasioflex.model.errors import BadArchive

_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
MAX_MEMBERS = 10_000


def gunzip(data: bytes) -> Iterator[bytes]:
    """The contents of one or more gzip members; zero padding after the last is ignored. Raises: BadArchive."""
    rest = memoryview(data)
    for _ in range(MAX_MEMBERS):
        if not rest:
            return
        if rest[0] == 0:
            if any(rest):
                raise BadArchive("The archive has bytes after its end")
            return
        used = yield from _drain(zlib.decompressobj(_GZIP), rest)
        rest = rest[used:]
    raise BadArchive(f"The archive has more than {MAX_MEMBERS} gzip members")


def inflate(data: memoryview) -> Iterator[bytes]:
    """The contents of a raw deflate stream (a zip entry's). Raises: BadArchive, also for bytes after its end."""
    used = yield from _drain(zlib.decompressobj(_RAW), data)
    if used != len(data):
        raise BadArchive("The archive has an entry with bytes after its end")


def _drain(stream: zlib._Decompress, data: memoryview) -> Generator[bytes, None, int]:
    """Yield what one stream holds; the return value is how many bytes of ``data`` belonged to it."""
    for start in range(0, len(data), CHUNK_BYTES):
        pending = data[start : start + CHUNK_BYTES].tobytes()
        end = start + len(pending)
        while pending:
            yield _step(stream, pending)
            if stream.eof:
                return end - len(stream.unused_data)
            pending = stream.unconsumed_tail
    while True:  # output that zlib still holds back
        chunk = _step(stream, b"")
        if chunk:
            yield chunk
        if stream.eof:
            return len(data)
        if not chunk:
            raise BadArchive("The archive ends in the middle: it was cut off")


def _step(stream: zlib._Decompress, data: bytes) -> bytes:
    try:
        return stream.decompress(data, CHUNK_BYTES)
    except zlib.error as error:
        raise BadArchive(f"The archive's compressed data is damaged ({error})") from None
