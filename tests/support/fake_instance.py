"""A function instance in this process: a real HTTP server whose behaviour tests choose, and that counts what it is asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from faasioflex.model.route import Endpoint

Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str  # raw, with the query
    headers: dict[str, str]  # names in lower case
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class FakeInstance:
    """Answers 200 with its id and the body. ``concurrency``: beyond it 429 with x-ffx-overflow, before the body is read.

    ``hold``: when it is cleared, calls wait until it is set.
    """

    def __init__(
        self, id: str, path: Path, *, concurrency: int | None = None, behaviour: Behaviour | None = None
    ) -> None:
        self.endpoint = Endpoint(id, f"unix:{path}")
        self.concurrency = concurrency
        self.behaviour = behaviour
        self.hold = asyncio.Event()
        self.hold.set()
        self.seen: list[Seen] = []
        self.order: list[str] = []  # query strings, as they were begun
        self.running = 0
        self.most_running = 0
        self.overflows = 0
        self.cancelled = 0
        self.connections = 0
        self._path = path
        self._runner: web.ServerRunner | None = None
        self._sock: socket.socket | None = None

    async def start(self) -> None:
        server = web.Server(self._serve, handler_cancellation=True, auto_decompress=False, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await self._runner.setup()
        self._path.unlink(missing_ok=True)
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(self._path))
        await web.SockSite(self._runner, self._sock, backlog=1024).start()

    def reset_connections(self) -> None:
        """End every connection at once, but go on listening."""
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def kill(self) -> None:
        """As kill -9: connections are cut, new ones are refused; the socket's name stays."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        for connection in list(runner.server.connections if runner.server else ()):
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.concurrency is not None and self.running >= self.concurrency:
            self.overflows += 1
            return web.Response(status=429, headers={"x-ffx-overflow": "1", "Retry-After": "1"}, text="full")
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.order.append(request.raw_path.partition("?")[2])
        try:
            if request.headers.get("Expect") == "100-continue" and request.transport is not None:
                request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self.hold.wait()
            if self.behaviour is not None:
                return await self.behaviour(request)
            return await self.echo(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def echo(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.raw_path, headers, request.raw_headers, body))
        return web.Response(body=self.endpoint.instance.encode() + b":" + body, headers={"X-Ffx-Secret": "no"})
