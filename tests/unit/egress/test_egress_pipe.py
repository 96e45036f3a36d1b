"""Turns between connections: no more is taken from one at once than :data:`READ_BYTES`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import SupportsIndex

from faasioflex.gateway.egress.pipe import READ_BYTES, Stream, join


class Counted(asyncio.StreamReader):
    """``pieces``: how long what came at once was."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self.pieces.append(len(bytes(data)))
        super().feed_data(data)


async def _stream(own: socket.socket) -> tuple[Stream, Counted]:
    reader = Counted()
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_connection(lambda: protocol, sock=own)
    return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop)), reader


async def test_one_connection_takes_short_turns() -> None:
    client, inside_end = socket.socketpair()
    outside_end, host = socket.socketpair()
    inside, counted = await _stream(inside_end)
    outside, _ = await _stream(outside_end)
    joined = asyncio.create_task(join(inside, outside))
    await asyncio.sleep(0)  # it has begun
    content = b"x" * (READ_BYTES * 8)
    for own in (client, host):
        own.setblocking(False)
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(loop.sock_sendall(client, content))
    came = 0
    while came < len(content):
        came += len(await loop.sock_recv(host, len(content)))
    await sending
    assert sum(counted.pieces) == len(content)
    assert max(counted.pieces) <= READ_BYTES
    client.close()
    host.close()
    await joined
