"""The listening socket and the HTTP server on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import structlog
from aiohttp import web

from faasioflex.invoker.front.handler import Handler
from faasioflex.invoker.headers import request_id
from faasioflex.model.errors import BadRequest
from faasioflex.model.problem import problem_body, problem_headers

log = structlog.get_logger(__name__)
BACKLOG = 1024
CUT_S = 0.1  # zero would mean for ever
KEEP_ALIVE_S = 75.0  # the gateway's idle timeout is far shorter: it closes, never we under its request
MOST_FIELDS = 1024
LONGEST_HEAD_PART = 64 * 1024  # the gateway has its own, tighter bounds


class Connection(web.RequestHandler):
    """aiohttp's side of one connection; what cannot be read is answered with a problem document too."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Only malformed requests come here: the handler answers everything else itself."""
        log.info("a request could not be read", status=status, reason=type(exc).__name__)
        error = BadRequest("This is not a request of HTTP/1.1 that can be read")
        response = web.Response(
            status=error.status, body=problem_body(error, request_id(None)), headers=problem_headers(error)
        )
        response.force_close()
        return response


class Connections(web.Server):
    """Makes them itself: aiohttp's own factory drops every option when it does not know one."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, handler_cancellation=True)

    def __call__(self) -> web.RequestHandler:
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes it for: none
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            tcp_keepalive=False,
            max_line_size=LONGEST_HEAD_PART,
            max_field_size=LONGEST_HEAD_PART,
            max_headers=MOST_FIELDS,
        )


class Server:
    """``socket_path`` is replaced if it exists (the platform's folder is ours alone) and removed at the end."""

    def __init__(self, handler: Handler, socket_path: Path) -> None:
        self._handler = handler
        self._path = socket_path
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(Connections(self._handler), shutdown_timeout=CUT_S)
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
