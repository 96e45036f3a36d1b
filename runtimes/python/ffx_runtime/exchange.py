"""One request and its answer. Everything here runs on the server's loop, :meth:`Exchange.claim` excepted."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol

from ffx_runtime.problem import problem
from ffx_runtime.wire import CONTINUE, STATUS_LINES, carries_body

if TYPE_CHECKING:
    from ffx_runtime.roles import Link

HIGH_WATER = 64 * 1024  # bytes of a streamed request body held for the app before reading pauses


class Disconnected(Exception):
    """The client has gone, or the call was given up."""


class Work(Protocol):
    """What runs for an exchange: a task, a thread's job, a process."""

    def cancel(self) -> None:
        """Ask it to end; :meth:`Exchange.end_work` is called when it has."""


class Exchange:
    """States: waiting (pipelined) -> admitted -> started (first byte sent) -> done. ``done`` also where nobody listens any more."""

    def __init__(
        self,
        connection: Link,
        method: str,
        path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        *,
        platform: dict[bytes, bytes],
        keep_alive: bool,
        http11: bool,
    ) -> None:
        self.connection = connection
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers  # names in lower case, without x-ffx-*
        self.platform = platform  # the x-ffx-* ones, and those that the server itself reads
        self.keep_alive = keep_alive
        self.http11 = http11
        self.content_length: int | None = None
        self.chunked = False  # the request's body, whose length nobody knows
        self.expects_continue = False
        self.upgrade = False
        self.due = float("inf")  # deadline, by the loop's clock

        self.buffer = bytearray()
        self.received = 0
        self.complete = False  # the whole request has arrived
        self.reader: asyncio.Future[None] | None = None

        self.admitted = False
        self.begun = False
        self.released = False
        self.stuck = False
        self.work: Work | None = None

        self.started = False
        self.done = False
        self.disconnected = False
        self._chunked = False
        self._remaining: int | None = None
        self._bodyless = False
        self._token: list[None] = [None]

    # What the styles need to know

    @property
    def request_id(self) -> str:
        found = self.platform.get(b"x-request-id")
        if found is None:
            found = self.platform[b"x-request-id"] = os.urandom(8).hex().encode()
        return found.decode("latin-1")

    @property
    def timeout_s(self) -> float:
        limit = self.connection.server.settings.timeout_s
        shorter = self.platform.get(b"x-ffx-timeout-s")
        if shorter is None:
            return limit
        try:
            wanted = float(shorter)
        except ValueError:
            return limit
        return min(limit, wanted) if wanted > 0 else limit

    # The request's body, for styles that stream it

    async def read(self) -> bytes:
        """The next bytes of the body, b"" at its end.

        Raises: Disconnected.
        """
        while not self.buffer and not self.complete:
            if self.done or self.disconnected:
                raise Disconnected
            self.ask_for_body()
            self.reader = self.connection.loop.create_future()
            try:
                await self.reader
            finally:
                self.reader = None
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def ask_for_body(self) -> None:
        if self.expects_continue and not self.started and not self.done:
            self.expects_continue = False
            if not self.received:
                self.connection.transport.write(CONTINUE)
        self.connection.resume_reading()

    def wake_reader(self) -> None:
        if self.reader is not None and not self.reader.done():
            self.reader.set_result(None)

    # The answer

    def claim(self) -> bool:
        """Whether the caller may write the first byte: true once, for one of the loop and the watch over it."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """The whole answer at once. Nothing happens where the call was answered otherwise before."""
        if self.done:
            return
        if not self.claim():
            self.done = True
            return
        self.started = True
        head = self._head(status, lines)
        if carries_body(self.method, status):
            self.connection.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        elif status in (204, 304):
            self.connection.transport.write(head + b"\r\n")
        else:
            self.connection.transport.write(b"%bcontent-length: %d\r\n\r\n" % (head, len(body)))
        self._finished()

    def refuse(self, code: str, detail: str) -> None:
        """A problem document where nothing was sent yet, else the connection is cut: the client sees a broken answer."""
        if self.done:
            return
        if self.started:
            self.abort()
            return
        status, lines, body = problem(code, detail, self.request_id)
        self.answer(status, lines, body)

    def start(self, status: int, lines: bytes, length: int | None, body: bytes = b"") -> None:
        """Status and headers of a streamed answer, with its first bytes where they are known. ``length`` None: unknown."""
        if self.done or not self.claim():
            self.done = True
            return
        self.started = True
        self._bodyless = not carries_body(self.method, status)
        self._remaining = length
        if length is not None and status != 204:
            lines += b"content-length: %d\r\n" % length
        elif length is None and not self._bodyless:
            if self.http11:
                self._chunked = True
                lines += b"transfer-encoding: chunked\r\n"
            else:
                self.keep_alive = False
        head = self._head(status, lines) + b"\r\n"
        self._send(head, body)

    def write(self, data: bytes) -> None:
        """More of the body. Too much for the announced length cuts the connection."""
        if not self.done and data:
            self._send(b"", data)

    def finish(self) -> None:
        """The end of a streamed answer; one that is shorter than announced cuts the connection."""
        if self.done:
            return
        if self._remaining and not self._bodyless:
            self.abort()
            return
        if self._chunked:
            self.connection.transport.write(b"0\r\n\r\n")
        self._finished()

    def abort(self) -> None:
        """Cut the connection."""
        self.done = True
        self.connection.transport.abort()

    def end_work(self) -> None:
        """Nothing runs for this call any more: its place is free."""
        if self.admitted and not self.released:
            self.released = True
            gate = self.connection.server.gate
            if self.stuck:
                gate.unstick()
            gate.leave()

    def cancel_work(self) -> None:
        """Its client or its deadline has gone: end the work, and the instance where it does not end."""
        self.done = True
        self.wake_reader()
        if not self.begun:
            self.end_work()
        elif self.work is not None and not self.released:
            self.work.cancel()
            self.connection.server.expect_end(self)

    def _head(self, status: int, lines: bytes) -> bytes:
        if not self.keep_alive or self.connection.server.stopping:
            self.keep_alive = False
            return STATUS_LINES[status] + lines + b"connection: close\r\n"
        if not self.http11:
            return STATUS_LINES[status] + lines + b"connection: keep-alive\r\n"
        return STATUS_LINES[status] + lines

    def _send(self, head: bytes, data: bytes) -> None:
        self.connection.extend(self)
        if self._bodyless:
            data = b""
        if data and self._remaining is not None:
            self._remaining -= len(data)
            if self._remaining < 0:
                self.abort()
                return
        if data and self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if head or data:
            self.connection.transport.write(head + data)

    def _finished(self) -> None:
        self.done = True
        self.connection.answered(self)
