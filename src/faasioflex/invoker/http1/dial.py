"""Connecting to an instance's address: ``unix:/absolute/path`` or ``host:port``."""

from __future__ import annotations

import asyncio
import socket

from faasioflex.invoker.http1.connection import Connection, NotSent

FULL_BACKLOG_PAUSE_S = 0.005


class Refused(NotSent):
    """Nobody listens there (any more)."""


class Busy(NotSent):
    """Somebody listens, but does not take the connection in time."""


async def dial(address: str, timeout_s: float) -> Connection:
    """Connect.

    Raises: Refused, Busy.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if address.startswith("unix:"):
                return await _dial_unix(address.removeprefix("unix:"))
            host, _, port = address.rpartition(":")
            _, connection = await asyncio.get_running_loop().create_connection(Connection, host.strip("[]"), int(port))
            return connection
    except TimeoutError as error:
        raise Busy(f"no connection within {timeout_s:g} s") from error
    except OSError as error:
        raise Refused(str(error)) from error


async def _dial_unix(path: str) -> Connection:
    """A full backlog answers EAGAIN on a unix socket, which the loop's own connect takes for success: so we connect ourselves."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
                break
            except BlockingIOError:
                await asyncio.sleep(FULL_BACKLOG_PAUSE_S)
        _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, sock=sock)
    except BaseException:
        sock.close()
        raise
    return connection
