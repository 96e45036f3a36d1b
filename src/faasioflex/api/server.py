"""The API as a part of the platform: uvicorn on a unix socket that only its user may open."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from faasioflex.api.alerts.rules import Thresholds
from faasioflex.api.app import create_app
from faasioflex.api.context import Readiness, Services
from faasioflex.api.identity import ApiIdentity
from faasioflex.api.processes import Pids, own
from faasioflex.bus.port import Bus

KEEP_ALIVE_S = 90  # longer than the gateway keeps an idle connection, or its requests die in the race
LARGEST_HEADERS_BYTES = 64 * 1024
LONGEST_STOP_S = 5
BACKLOG = 512


class _Server(uvicorn.Server):
    """Signals are the platform's; and it tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.serving.set()


class ApiPart:
    """``problem`` is None while it serves with its mirrors filled."""

    def __init__(
        self,
        bus: Bus,
        identity: ApiIdentity,
        *,
        socket_path: Path,
        invoker_socket: Path,
        readiness: Readiness,
        now: Callable[[], float] = time.time,
        hosts: frozenset[str] = frozenset(),
        functions_url: str = "",
        pids: Pids = own,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.socket_path = socket_path
        self.app = create_app(
            bus,
            identity,
            invoker_socket=invoker_socket,
            readiness=readiness,
            now=now,
            hosts=hosts,
            functions_url=functions_url,
            pids=pids,
            thresholds=thresholds,
        )
        self._services: Services = self.app.state.services
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str | None:
        if self._task is None or self._server is None or not self._server.serving.is_set():
            return "the API does not serve yet"
        if self._task.done():
            return "the API has stopped"
        return self._services.registry.problem

    async def start(self) -> None:
        """Return when it serves; the socket is there, 0600. Raises: OSError where it cannot be."""
        await self._services.start()
        listening = _listen(self.socket_path)
        config = uvicorn.Config(
            self.app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LONGEST_STOP_S,
            h11_max_incomplete_event_size=LARGEST_HEADERS_BYTES,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="api")
        serving = asyncio.create_task(self._server.serving.wait())
        await asyncio.wait({serving, self._task}, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """End followed streams, let other requests finish for some seconds, close the socket."""
        self._services.closing.set()
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)
            self.socket_path.unlink(missing_ok=True)
        await self._services.stop()


def _listen(path: Path) -> socket.socket:
    """Bound under another name and moved: a socket of a process before this one is replaced, never missing."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        listening.bind(str(fresh))
    finally:
        os.umask(umask)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    fresh.rename(path)
    return listening
