"""The server of one instance: its socket, its signals, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

from ffx_runtime.capture import Streams
from ffx_runtime.connection import Connection
from ffx_runtime.exchange import Exchange
from ffx_runtime.gate import STUCK_GRACE_S, Gate, Sweeper
from ffx_runtime.leaving import RETIRED, leave
from ffx_runtime.report import Report
from ffx_runtime.settings import Settings
from ffx_runtime.style import StartupFailed, Style
from ffx_runtime.watch import LoopWatch
from ffx_runtime.workers import Post, Workers

GOODBYE_S = 1.0  # before its timeout, for a WebSocket that is still open when the instance ends
LAST_REQUESTS_S = 0.25  # after SIGTERM: for requests that are on their way on open connections
FLUSH_S = 0.5
BACKLOG = 1024


class Server:
    def __init__(self, settings: Settings, report: Report, streams: Streams) -> None:
        self.settings = settings
        self.report = report
        self.streams = streams
        self.loop = asyncio.get_running_loop()
        self.post = Post(self.loop)
        self.workers = Workers(self.post)
        self.gate = Gate(settings.concurrency, self._retired)
        self.sweeper = Sweeper(self.loop)
        self.connections: set[Connection] = self.sweeper.connections  # type: ignore[assignment]
        self.tasks: set[asyncio.Task[None]] = set()  # go on after their answer
        self.stopping = False
        self.socket = _listening(settings)
        self.style = Style(self)
        self._listener: asyncio.Server | None = None
        self._stopped: asyncio.Event = asyncio.Event()
        self.watch = LoopWatch(self)

    async def serve(self, style: Style) -> int:
        """Serve until SIGTERM; returns the exit code."""
        self.style = style
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stopped.set)
        try:
            await style.startup()
        except StartupFailed as failed:
            sys.stderr.write(f"{failed}\n")
            return 1
        if style.on_loop:
            self.watch.start()
        self._listener = await self.loop.create_server(lambda: Connection(self), sock=self.socket, backlog=BACKLOG)
        self.report.ready()
        await self._stopped.wait()
        await self._drain()
        return 0

    async def _drain(self) -> None:
        """Stop accepting, answer what has come in, each call up to its deadline; WebSockets as long, less the time to part."""
        assert self._listener is not None  # noqa: S101
        self.stopping = True
        for _ in range(3):  # connections that wait in the backlog are accepted first
            await asyncio.sleep(0)
        self._listener.close()
        end = self.loop.time() + self.settings.timeout_s + STUCK_GRACE_S
        idle_until = min(end, self.loop.time() + LAST_REQUESTS_S)
        lasting_until = max(idle_until, end - STUCK_GRACE_S - GOODBYE_S)
        while self.loop.time() < end and (self.connections or self.gate.active > self.gate.stuck or self.tasks):
            now = self.loop.time()
            for connection in list(self.connections):
                if now >= (lasting_until if connection.lasts else idle_until):
                    connection.shutdown()
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.give_up()
        try:
            await asyncio.wait_for(self.style.shutdown(), max(1.0, end - self.loop.time()))
        except TimeoutError:
            sys.stderr.write("the application did not shut down in time\n")

    def expect_end(self, exchange: Exchange) -> None:
        """Its work was cancelled. One that has not ended a while after its deadline makes the instance retire."""
        at = max(exchange.due, self.loop.time()) if exchange.due != float("inf") else self.loop.time()
        self.loop.call_at(at + STUCK_GRACE_S, self._check_end, exchange)

    def _check_end(self, exchange: Exchange) -> None:
        if exchange.released or exchange.stuck or self.stopping:
            return
        sys.stderr.write(
            f"a call ({exchange.request_id}) did not end when it was cancelled: this instance is replaced when its other "
            "calls have ended\n"
        )
        exchange.stuck = True
        if not self.gate.doomed:
            self.loop.call_later(self.settings.timeout_s, self.gate.retire)
            self.loop.call_later(2 * self.settings.timeout_s + STUCK_GRACE_S, leave, RETIRED)
        self.gate.give_up()

    def _retired(self) -> None:
        self.loop.create_task(self._leave_retired())

    async def _leave_retired(self) -> None:
        """Answers that are written already go out first."""
        end = self.loop.time() + FLUSH_S
        while self.loop.time() < end and any(one.transport.get_write_buffer_size() for one in self.connections):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        leave(RETIRED)


def _listening(settings: Settings) -> socket.socket:
    """The socket that was handed in, else ``$PORT``, else ``$FFX_SOCKET``."""
    if settings.listen_fd is not None:
        os.set_inheritable(settings.listen_fd, False)
        handed_in = socket.socket(fileno=settings.listen_fd)
        handed_in.setblocking(False)
        return handed_in
    if settings.port is not None:
        return socket.create_server(("0.0.0.0", settings.port), backlog=BACKLOG)  # noqa: S104 (a container's port)
    if settings.socket is None:
        raise StartupFailed("there is nothing to listen on: set LISTEN_FDS, PORT or FFX_SOCKET")
    path = settings.socket
    if os.path.exists(path):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(path)
    os.chmod(path, 0o600)
    return made
