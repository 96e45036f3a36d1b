"""Small real HTTP servers on unix sockets that stand in for instances, the invoker and the API behind a gateway."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as it arrived: ``path`` raw, with its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Origin:
    """Answers 200 with its name, unless ``handler`` is set. ``seen``: the requests it answered so."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.seen: list[Seen] = []
        self.handler: Handler | None = None
        self.concurrency: int | None = None
        self._busy = 0
        self._runner: web.ServerRunner | None = None

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    async def start(self) -> Origin:
        server = web.Server(self._serve, keepalive_timeout=75)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.path))
        os.chmod(self.path, 0o600)
        await web.SockSite(self._runner, listening, backlog=1024).start()
        return self

    async def die(self) -> None:
        """As after kill -9: every connection ends, new ones are refused, the socket's name stays."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner._kwargs["shutdown_timeout"] = 0.0
            for connection in list(runner.server.connections if runner.server else []):
                if connection.transport is not None:
                    connection.transport.abort()
            stray = [site for site in runner.sites]
            for site in stray:
                await site.stop()
            await runner.cleanup()
            if not self.path.exists():  # the loop removes the name with the server: a killed process does not
                left = socket.socket(socket.AF_UNIX)
                left.bind(str(self.path))
                left.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.concurrency is not None and self._busy >= self.concurrency:
            return web.Response(status=429, headers={"x-ffx-overflow": "1", "retry-after": "1"})
        self._busy += 1
        try:
            if self.handler is not None:
                return await self.handler(request)
            return await self.answer(request)
        finally:
            self._busy -= 1

    async def answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.content.read()  # not read(): that has a bound of its own
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.raw_path, headers, body))
        return web.Response(text=self.name)


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Poll until it holds. Raises: TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            result = condition()
            if result is True or (not isinstance(result, bool) and await result):
                return
            await asyncio.sleep(0.01)
