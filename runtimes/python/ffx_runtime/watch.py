"""A watch over the server's loop, for user code that runs on it and blocks it.

``async def`` functions and ASGI applications run on the server's own loop: a loop of their own would cost two thread switches
for each call, four tenths of the throughput. The price is that one of them which computes or blocks without awaiting holds up
the server. Then this thread serves in its place: calls whose deadline passes are answered with 504, new ones with 429 and
``x-ffx-overflow`` (the gateway keeps them), and what blocks beyond its own deadline gets Cancelled raised in it, or, where that
does not end it, the instance retires.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from ffx_runtime.connection import Connection
from ffx_runtime.context import Cancelled
from ffx_runtime.gate import STUCK_GRACE_S
from ffx_runtime.leaving import RETIRED, leave
from ffx_runtime.problem import problem
from ffx_runtime.wire import STATUS_LINES
from ffx_runtime.workers import raise_in

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.roles import Host

TICK_S = 0.1
READ_BYTES, READ_TIMES = 256 * 1024, 64  # of a request that is refused
BLOCKED_S = 0.5  # a loop that was away for so long is served for
ASLEEP_TICKS = 20  # without a call, after which the thread sleeps until there is one


class WatchedSelector(selectors.DefaultSelector):
    """Knows since when the loop has been running callbacks: ``busy_since`` is 0 while it waits for events."""

    busy_since = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.busy_since = 0.0
        events = super().select(timeout)
        self.busy_since = time.monotonic()
        return events


class LoopWatch:
    def __init__(self, server: Host) -> None:
        self._server = server
        self._selector: Any = getattr(server.loop, "_selector", None)
        self._thread = threading.get_ident()
        self._call = threading.Event()
        self._asleep = False
        self._raised: Exchange | None = None

    def start(self) -> None:
        if isinstance(self._selector, WatchedSelector):
            self._server.gate.on_enter = self._wake
            threading.Thread(target=self._watch, name="ffx-watch", daemon=True).start()

    def _wake(self) -> None:
        if self._asleep:
            self._call.set()

    def _watch(self) -> None:
        idle = 0
        while True:
            time.sleep(TICK_S)
            idle = 0 if self._server.gate.active else idle + 1
            if idle > ASLEEP_TICKS:
                self._call.clear()
                self._asleep = True
                if not self._server.gate.active:
                    self._call.wait()
                self._asleep = False
                idle = 0
            since = self._selector.busy_since
            if since and time.monotonic() - since > BLOCKED_S:
                self._stand_in()

    def _stand_in(self) -> None:
        """The loop is blocked: do what cannot wait."""
        server = self._server
        now = server.loop.time()
        idle = []
        for connection in self._connections():
            exchange = connection.current
            if exchange is None:
                if connection.is_idle:
                    idle.append(connection)
            elif not exchange.done and not exchange.started and exchange.due <= now:
                self._answer_late(connection, exchange)
        self._refuse_new(idle)
        self._end_blocker(now)

    def _connections(self) -> list[Connection]:
        """Those that speak HTTP: an open WebSocket waits for the loop."""
        return [one for one in list(self._server.connections) if isinstance(one, Connection)]

    def _answer_late(self, connection: Connection, exchange: Exchange) -> None:
        if exchange.admitted and exchange.claim():
            code, detail = "deadline-exceeded", f"the function took longer than {exchange.timeout_s:g} s"
            _write_and_close(connection, code, detail, exchange.request_id)

    def _refuse_new(self, idle: list[Connection]) -> None:
        """What comes now is answered here: a request is read by this thread or by the loop, never by both."""
        by_fd = {}
        for connection in idle:
            fd = _fd(connection)
            if fd >= 0:
                by_fd[fd] = connection
        poll = select.poll()
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for fd, _events in poll.poll(0):
            try:
                with socket.socket(fileno=socket.dup(fd)) as one:
                    _refuse(one)
            except OSError:
                continue
        while True:
            try:
                one, _ = self._server.socket.accept()
            except OSError:
                return
            with one:
                _refuse(one)

    def _end_blocker(self, now: float) -> None:
        """The task that blocks the loop: raise in it once its deadline has passed, retire where that does not help."""
        task = asyncio.current_task(self._server.loop)
        for connection in self._connections():
            exchange = connection.current
            if exchange is None or exchange.due > now or getattr(exchange.work, "task", None) is not task:
                continue
            if self._raised is not exchange:
                self._raised = exchange
                raise_in(self._thread, Cancelled)
            elif now > exchange.due + STUCK_GRACE_S:
                self._retire_when_alone(now)

    def _retire_when_alone(self, now: float) -> None:
        """Nothing on this loop goes on: when every other call has had its 504, the instance ends."""
        for connection in self._connections():
            exchange = connection.current
            if exchange is not None and not exchange.done and exchange.due > now:
                return
        message = "a call blocks the event loop beyond its deadline and cannot be cancelled: this instance is replaced"
        self._server.report.line("stderr", message, None)
        leave(RETIRED)


def _fd(connection: Connection) -> int:
    found = connection.transport.get_extra_info("socket")
    return -1 if found is None else int(found.fileno())


def _document(code: str, detail: str, request_id: str | None) -> bytes:
    status, lines, body = problem(code, detail, request_id)
    return b"%b%bconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (STATUS_LINES[status], lines, len(body), body)


def _write_and_close(connection: Connection, code: str, detail: str, request_id: str | None) -> None:
    """From this thread, beside the transport: it has nothing to send while the loop is blocked before the first byte."""
    try:
        with socket.socket(fileno=socket.dup(_fd(connection))) as one:
            one.send(_document(code, detail, request_id), socket.MSG_DONTWAIT)
            one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _refuse(one: socket.socket) -> None:
    """Answer a request that nobody has read yet."""
    one.settimeout(0.02)
    try:
        if one.recv(READ_BYTES):
            one.send(_document("instance-full", "this instance is busy: try again", None))
        one.shutdown(socket.SHUT_WR)
        for _ in range(READ_TIMES):  # what is left unread at the close would take the answer with it
            if not one.recv(READ_BYTES):
                break
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
