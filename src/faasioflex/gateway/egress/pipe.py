"""Bytes in both directions between two connections, until one side has ended."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

PIECE_BYTES = 32 * 1024  # also what is kept of a connection, four times at most
# What is taken from one connection before it is the next one's turn; asyncio's own 256 KiB let one sandbox with many uploads
# keep another waiting four times as long, at the same throughput.
READ_BYTES = 16 * 1024
# Envoy takes a half-closed connection for a closed one, so the end of what a function sends is not passed on. The answer may
# still come; without a byte for so long it is over.
HALF_CLOSED_S = 5.0


@dataclass(frozen=True)
class Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """End it so that the other side sees that something went wrong."""
        own = self.writer.get_extra_info("socket")
        if own is not None and own.family != socket.AF_UNIX:
            with suppress(OSError):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def join(inside: Stream, outside: Stream) -> None:
    """Returns when it is over; both are closed then."""
    for stream in (inside, outside):
        stream.writer.transport.set_write_buffer_limits(high=PIECE_BYTES)
        stream.writer.transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # of each recv()
    moved = [0]
    there = asyncio.create_task(_copy(inside.reader, outside.writer, [0]))
    back = asyncio.create_task(_copy(outside.reader, inside.writer, moved))
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        before = -1
        while not back.done() and before != moved[0]:
            before = moved[0]
            await asyncio.wait({back}, timeout=HALF_CLOSED_S)
    finally:
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        inside.close()
        outside.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: list[int]) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            moved[0] += len(piece)
            await writer.drain()
