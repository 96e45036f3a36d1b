"""Small looks at our unix sockets: an HTTP/1.1 request without an HTTP library."""

from __future__ import annotations

import asyncio
import socket as sockets
from dataclasses import dataclass
from pathlib import Path

LONGEST_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


async def request(socket: Path, path: str, *, method: str = "GET", timeout_s: float = 2.0) -> Answer | None:
    """One request on a connection of its own; None where nobody answers in time."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(
                    f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
                )
                await writer.drain()
                answer = await reader.read(LONGEST_ANSWER_BYTES)
                while chunk := await reader.read(LONGEST_ANSWER_BYTES):
                    answer += chunk
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return None
    return Answer(int(words[1]), body)


async def accepts(socket: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_unix_connection(socket)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def accepts_packets(socket: Path) -> bool:
    """The same of a socket that takes whole messages."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET) as trial:
        trial.setblocking(False)
        return trial.connect_ex(str(socket)) == 0
