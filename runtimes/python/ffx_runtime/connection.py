"""One HTTP/1.1 connection: parses requests, lets one at a time through, keeps the deadlines."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from ffx_runtime import isolate
from ffx_runtime.exchange import HIGH_WATER, Exchange
from ffx_runtime.gate import Sweepable
from ffx_runtime.problem import problem
from ffx_runtime.wire import STATUS_LINES

if TYPE_CHECKING:
    from ffx_runtime.roles import Host

with isolate.own_packages():
    import httptools

KEEP_ALIVE_S = 75.0
LINGER_S = 5.0  # how long the rest of a body is read after an early answer
DISCARD_BYTES = 1024 * 1024  # a longer rest than this closes the connection after the answer
HEADER_BYTES = 128 * 1024
_PLATFORM = frozenset({b"x-request-id", b"traceparent", b"x-forwarded-prefix"})
# who calls, and which queued call this is, by the platform: functions see them
_CALLER = frozenset({b"x-ffx-user", b"x-ffx-groups", b"x-ffx-email", b"x-ffx-invocation-id", b"x-ffx-attempt"})


class Connection(asyncio.Protocol, Sweepable):
    """Callbacks ``on_*`` come from the parser inside :meth:`data_received`."""

    transport: asyncio.Transport

    lasts = False  # a session, which goes on while the instance drains

    def __init__(self, server: Host) -> None:
        self.server = server
        self.loop = server.loop
        self.current: Exchange | None = None  # the one that is being answered
        self.incoming: Exchange | None = None  # the one that is being read
        self.waiting: deque[Exchange] = deque()
        self.due = float("inf")
        self.write_paused = False
        self.writers: list[asyncio.Future[None]] = []
        self.on_writable: list[Any] = []
        self._parser = httptools.HttpRequestParser(self)
        self._reading = True
        self._in_head = False
        self._closing = False

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.connections.add(self)
        self._idle()

    def connection_lost(self, _error: Exception | None) -> None:
        self.server.connections.discard(self)
        self.due = float("inf")
        self._closing = True
        self.resume_writing()
        self.waiting.clear()
        if self.current is not None and not self.current.done:
            self.current.disconnected = True
            self.current.cancel_work()
        if self.current is not None:
            self.current.disconnected = True
            self.current.wake_reader()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            self._malformed(error)

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        waiting, self.writers = self.writers, []
        for writer in waiting:
            if not writer.done():
                writer.set_result(None)
        callbacks, self.on_writable = self.on_writable, []
        for callback in callbacks:
            callback()

    async def writable(self) -> None:
        """Return when the transport's buffer has room (or nobody reads any more)."""
        while self.write_paused:
            writer = self.loop.create_future()
            self.writers.append(writer)
            await writer

    def pause_reading(self) -> None:
        if self._reading and not self._closing:
            self._reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self.transport.resume_reading()

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._private: dict[bytes, bytes] = {}
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer
        name = name.lower()
        self._head_bytes += len(name) + len(value)
        if (
            name.replace(b"_", b"-")[:6] == b"x-ffx-" and name not in _CALLER
        ):  # x_ffx_user is no other in an environment
            self._private[name] = value
            return
        if name in _PLATFORM or name in _CALLER:
            self._private[name] = value
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser = self._parser
        path, query = _target(self._url)
        exchange = Exchange(
            self,
            parser.get_method().decode("ascii"),
            path,
            query,
            self._headers,
            platform=self._private,
            keep_alive=parser.should_keep_alive(),
            http11=parser.get_http_version() != "1.0",
        )
        exchange.upgrade = bool(parser.should_upgrade())
        self.incoming = exchange
        for name, value in self._headers:
            if name == b"content-length":
                exchange.content_length = int(value)
            elif name == b"transfer-encoding":
                exchange.chunked = True
            elif name == b"expect" and value.lower() == b"100-continue":
                exchange.expects_continue = True
        if self._head_bytes > HEADER_BYTES:
            exchange.keep_alive = False
        if self.current is None:
            self.current = exchange
            self._begin(exchange)
        else:
            self.waiting.append(exchange)
            self.pause_reading()

    def on_body(self, data: bytes) -> None:
        exchange = self.incoming
        if exchange is None or exchange.done:
            return
        exchange.received += len(data)
        limit = self.server.settings.payload_bytes
        if limit is not None and exchange.received > limit:
            if exchange is self.current:
                self._too_large(exchange)
            return
        exchange.buffer += data
        if exchange.admitted:
            self.extend(exchange)
            if exchange.begun:
                exchange.wake_reader()
                if len(exchange.buffer) > HIGH_WATER:
                    self.pause_reading()

    def on_message_complete(self) -> None:
        exchange = self.incoming
        if exchange is None or exchange.complete or exchange.upgrade:
            return
        exchange.complete = True
        if exchange is not self.current:
            return
        if exchange.done:
            self._next()
        elif exchange.begun:
            exchange.wake_reader()
        elif exchange.admitted:
            self._hand_over(exchange)

    # One exchange after the other

    def _begin(self, exchange: Exchange) -> None:
        server = self.server
        limit = server.settings.payload_bytes
        if self._head_bytes > HEADER_BYTES:
            exchange.refuse("headers-too-large", f"the headers are larger than {HEADER_BYTES} bytes")
        elif limit is not None and max(exchange.content_length or 0, exchange.received) > limit:
            self._too_large(exchange)
        elif not server.gate.enter():
            exchange.refuse("instance-full", "this instance is full: try again")
        else:
            exchange.admitted = True
            self.extend(exchange)
            if exchange.upgrade:
                return  # _upgrade follows at once
            if server.style.streams_request or exchange.complete:
                self._hand_over(exchange)
            else:
                exchange.ask_for_body()

    def _hand_over(self, exchange: Exchange) -> None:
        exchange.begun = True
        self.server.style.begin(exchange)

    def _too_large(self, exchange: Exchange) -> None:
        exchange.keep_alive = False
        exchange.refuse("payload-too-large", f"the body is larger than {self.server.settings.payload_bytes} bytes")
        exchange.cancel_work()

    def answered(self, exchange: Exchange) -> None:
        """``exchange`` has all of its answer: go on, once all of its request was read."""
        exchange.buffer.clear()
        if exchange.complete:
            self._next()
            return
        rest = (exchange.content_length or 0) - exchange.received
        if exchange.chunked or rest > DISCARD_BYTES:
            exchange.keep_alive = False
        self.due = self.loop.time() + LINGER_S
        self.server.sweeper.notice(self.due)
        self.resume_reading()

    def _next(self) -> None:
        previous, self.current = self.current, None
        if previous is None or not previous.keep_alive or self.server.stopping:
            self.close()
        elif self.waiting:
            self.current = self.waiting.popleft()
            self._begin(self.current)
        else:
            self._idle()

    def _idle(self) -> None:
        self.due = self.loop.time() + KEEP_ALIVE_S
        self.server.sweeper.notice(self.due)
        self.resume_reading()

    def extend(self, exchange: Exchange) -> None:
        """Something happened: the deadline of ``exchange`` is ``timeout_s`` from now."""
        exchange.due = self.due = self.loop.time() + exchange.timeout_s
        self.server.sweeper.notice(self.due)

    def expire(self) -> None:
        """``due`` has passed: a deadline, an idle connection, or a rest of a body that does not come."""
        self.due = float("inf")
        exchange = self.current
        if exchange is None:
            self.close()
        elif exchange.done:
            self.transport.abort()
        else:
            exchange.refuse("deadline-exceeded", f"the function took longer than {exchange.timeout_s:g} s")
            exchange.cancel_work()

    def close(self) -> None:
        self._closing = True
        self.transport.close()

    @property
    def is_idle(self) -> bool:
        """Between two requests: nothing of the next one was read."""
        return self.current is None and not self._in_head and not self._closing

    def give_up(self) -> None:
        """The instance ends now."""
        if self.current is not None:
            self.current.cancel_work()
        self.transport.abort()

    def shutdown(self) -> None:
        """No further requests: close now where there is none, else after the answer."""
        if self.current is None:
            self.close()

    def _upgrade(self) -> None:
        """The parser stops at a request that asks for another protocol."""
        exchange = self.incoming
        if exchange is None or exchange is not self.current or not exchange.admitted or exchange.done:
            if self.current is None or self.current.done:
                self.close()
            else:
                self.transport.abort()
            return
        exchange.complete = True
        if self.server.style.upgrade(exchange):
            return
        exchange.keep_alive = False
        if exchange.content_length or exchange.chunked:
            exchange.refuse("bad-request", "an upgrade with a body is not supported: leave out the header Upgrade")
            exchange.cancel_work()
        else:
            self._hand_over(exchange)

    def _malformed(self, error: Exception) -> None:
        """What follows cannot be read. Answers that are under way are sent first, or cut where they wait for the rest."""
        self._closing = True
        if self.current is not None and not self.current.complete and not self.current.done:
            self.current.keep_alive = False
            self.current.refuse("bad-request", f"the request is not HTTP/1.1: {error}")
            self.current.cancel_work()
            self.transport.close()
        elif self.current is not None and not self.current.done:
            self.current.keep_alive = False
            self.waiting.clear()
        else:
            status, lines, body = problem("bad-request", f"the request is not HTTP/1.1: {error}", None)
            head = b"%b%bconnection: close\r\ncontent-length: %d\r\n\r\n" % (STATUS_LINES[status], lines, len(body))
            self.transport.write(head + body)
            self.transport.close()


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target, escapes kept. ``http://host/path`` has its path taken out."""
    if not url.startswith(b"/") and b"://" in url:
        url = b"/" + url.partition(b"://")[2].partition(b"/")[2]
    path, _, query = url.partition(b"#")[0].partition(b"?")
    return path, query
