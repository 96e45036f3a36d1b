"""The listening socket and the HTTP server on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from aiohttp import web

from faasioflex.invoker.front.handler import Handler

BACKLOG = 1024
CUT_S = 0.1  # zero would mean for ever
KEEP_ALIVE_S = 75.0  # the gateway's idle timeout is far shorter: it closes, never we under its request
LONGEST_HEAD_PART = 64 * 1024  # the gateway has its own, tighter bounds


class Server:
    """``socket_path`` is replaced if it exists (the platform's folder is ours alone) and removed at the end."""

    def __init__(self, handler: Handler, socket_path: Path) -> None:
        self._handler = handler
        self._path = socket_path
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        server = web.Server(
            self._handler,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            tcp_keepalive=False,
            max_line_size=LONGEST_HEAD_PART,
            max_field_size=LONGEST_HEAD_PART,
            max_headers=1024,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=CUT_S)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, listening(self._path), backlog=BACKLOG)
        await self._site.start()

    async def stop_accepting(self) -> None:
        self._handler.stopping = True
        if self._site is not None:
            await self._site.stop()
            self._site = None
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def drain(self, within_s: float) -> None:
        """Return when nothing is in flight any more, or time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._handler.idle.wait()

    async def stop(self) -> None:
        """Cut what is left."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def listening(path: Path) -> socket.socket:
    """A bound unix socket of mode 0600: closed to others before anybody can connect."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        os.chmod(path, 0o600)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
