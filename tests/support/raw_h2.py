"""HTTP/2 by hand: one request on a connection of its own, with any header fields."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1


async def exchange(
    port: int, fields: Sequence[tuple[bytes, bytes]], body: bytes = b"", *, timeout_s: float = 15.0
) -> bytes | None:
    """The body of the answer; None where the stream or the connection was ended instead."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)
            flags = _END_HEADERS | (0 if body else _END_STREAM)
            writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_HEADERS, flags, 1, block))
            if body:
                writer.write(_frame(_DATA, _END_STREAM, 1, body))
            return await _answer(reader, writer)
        finally:
            writer.close()


def get(path: bytes, *more: tuple[bytes, bytes], authority: bytes = b"gateway.test") -> list[tuple[bytes, bytes]]:
    pseudo = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", path), (b":authority", authority)]
    return [*pseudo, *more]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    body = b""
    while True:
        try:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        kind, flags = head[3], head[4]
        if kind in (_RST, _GOAWAY):
            return None
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        if kind == _DATA:
            body += payload
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            return body


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: bytes) -> bytes:
    """A string of HPACK, without Huffman."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    made, left = bytearray([127]), len(text) - 127
    while left >= 128:
        made.append(left % 128 + 128)
        left //= 128
    return bytes([*made, left]) + text
