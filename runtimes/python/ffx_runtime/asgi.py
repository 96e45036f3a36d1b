"""ASGI applications: on the server's loop, requests and answers streamed."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ffx_runtime.context import Cancelled
from ffx_runtime.exchange import Disconnected
from ffx_runtime.lifespan import Lifespan
from ffx_runtime.report import current_request
from ffx_runtime.style import Style, failure, trace
from ffx_runtime.websocket import Message, WebSocket
from ffx_runtime.wire import BadAnswer, encode

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.server import Server

DISCONNECT_GRACE_S = 1.0  # between http.disconnect and the cancellation of an app that goes on


class AsgiStyle(Style):
    streams_request = True
    on_loop = True

    def __init__(self, server: Server, app: Callable[..., Any]) -> None:
        super().__init__(server)
        self.app = app
        self.lifespan = Lifespan(app)
        # Frameworks follow uvicorn: path includes root_path. Who writes a plain function wants what follows the prefix.
        self._whole_path = not inspect.isfunction(app)

    async def startup(self) -> None:
        await self.lifespan.startup()

    async def shutdown(self) -> None:
        await self.lifespan.shutdown()

    def begin(self, exchange: Exchange) -> None:
        AsgiCall(self, exchange)

    def upgrade(self, exchange: Exchange) -> bool:
        if not any(name == b"upgrade" and value.lower() == b"websocket" for name, value in exchange.headers):
            return False
        exchange.begun = True
        WebSocket(self.app, self.scope(exchange, "websocket"), exchange)
        return True

    def scope(self, exchange: Exchange, kind: str) -> Message:
        """What the application gets to know of a request; ``kind`` is ``http`` or ``websocket``."""
        prefix = exchange.platform.get(b"x-forwarded-prefix", b"").decode("latin-1").rstrip("/")
        path = exchange.path.decode("latin-1")
        if "%" in path:
            path = unquote(path)
        host = proto = forwarded = None
        for name, value in exchange.headers:
            if name == b"host":
                host = value
            elif name == b"x-forwarded-proto":
                proto = value.lower()
            elif name == b"x-forwarded-for":
                forwarded = value
        secure = proto == b"https"
        scheme = {"http": ("http", "https"), "websocket": ("ws", "wss")}[kind][secure]
        scope: Message = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1" if exchange.http11 else "1.0",
            "scheme": scheme,
            "path": prefix + path if self._whole_path else path,
            "raw_path": prefix.encode("latin-1") + exchange.path if self._whole_path else exchange.path,
            "query_string": exchange.query,
            "root_path": prefix,
            "headers": exchange.headers,
            "server": _server(host, secure),
            "client": (forwarded.rpartition(b",")[2].strip().decode("latin-1"), 0) if forwarded else None,
            "state": self.lifespan.state.copy(),
        }
        if kind == "http":
            scope["method"] = exchange.method
        return scope


def _server(host: bytes | None, secure: bool) -> tuple[str, int] | None:
    if not host:
        return None
    name, colon, port = host.decode("latin-1").rpartition(":")
    if colon and port.isdigit():
        return name, int(port)
    return host.decode("latin-1"), 443 if secure else 80


class AsgiCall:
    """One HTTP call: its task, and the two callables that the application gets."""

    def __init__(self, style: AsgiStyle, exchange: Exchange) -> None:
        self._style = style
        self._exchange = exchange
        self._start: tuple[int, bytes, int | None] | None = None
        self._body_given = False
        exchange.work = self
        loop = style.server.loop
        self.task = loop.create_task(self._run())
        style.server.tasks.add(self.task)
        self.task.add_done_callback(style.server.tasks.discard)

    def cancel(self) -> None:
        """The application is told by ``http.disconnect`` first; at a deadline it is cancelled at once."""
        if self._exchange.disconnected:
            self._style.server.loop.call_later(DISCONNECT_GRACE_S, self.task.cancel)
        else:
            self.task.cancel()

    async def _run(self) -> None:
        exchange = self._exchange
        current_request.set(exchange.request_id)
        try:
            await self._style.app(self._style.scope(exchange, "http"), self.receive, self.send)
            if not exchange.done:
                if self._start is None:
                    raise BadAnswer("the application returned without an answer")
                raise BadAnswer("the application returned before its answer was complete")
        except (asyncio.CancelledError, Cancelled) as error:
            sys.stderr.write(f"the call was cancelled\n{trace(error)}")
        except Disconnected:
            pass
        except BadAnswer as error:
            exchange.refuse("function-error", str(error))
            sys.stderr.write(f"{error}\n")
        except BaseException as error:
            exchange.refuse("function-error", failure(error))
            sys.stderr.write(trace(error))
        finally:
            self._style.server.streams.end_call(exchange.request_id)
            exchange.end_work()

    async def receive(self) -> Message:
        exchange = self._exchange
        if exchange.done or exchange.disconnected:
            return {"type": "http.disconnect"}
        if self._body_given:
            await self._disconnect()
            return {"type": "http.disconnect"}
        try:
            data = await exchange.read()
        except Disconnected:
            return {"type": "http.disconnect"}
        more = not exchange.complete
        self._body_given = not more
        return {"type": "http.request", "body": data, "more_body": more}

    async def _disconnect(self) -> None:
        """Wait until nobody listens any more, or the answer is complete."""
        exchange = self._exchange
        while not (exchange.done or exchange.disconnected):
            exchange.connection.resume_reading()
            exchange.reader = self._style.server.loop.create_future()
            try:
                await exchange.reader
            finally:
                exchange.reader = None

    async def send(self, message: Message) -> None:
        exchange = self._exchange
        kind = message["type"]
        if kind == "http.response.start":
            if self._start is not None:
                raise RuntimeError("http.response.start was sent twice")
            status = message["status"]
            if not 200 <= status <= 599:
                raise BadAnswer(f"the status {status!r} is not a number from 200 to 599")
            lines, length = encode(message.get("headers", ()))
            self._start = status, lines, length
            self._style.server.loop.call_soon(self._flush_start)
        elif kind == "http.response.body":
            self._send_body(message.get("body", b""), message.get("more_body", False))
            if exchange.connection.write_paused:
                await exchange.connection.writable()
        else:
            raise RuntimeError(f"{kind!r} is no message of an HTTP answer")

    def _send_body(self, body: bytes, more: bool) -> None:
        exchange = self._exchange
        if self._start is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if not exchange.started:
            status, lines, length = self._start
            if not more and (length is None or length == len(body)):
                exchange.answer(status, lines, body)
                self._answered()
                return
            exchange.start(status, lines, length, body)
        else:
            exchange.write(body)
        if not more:
            exchange.finish()
            self._answered()

    def _flush_start(self) -> None:
        """The headers go out although no body is there yet: a stream of events may begin with silence."""
        exchange = self._exchange
        if self._start is not None and not exchange.started and not exchange.done:
            status, lines, length = self._start
            exchange.start(status, lines, length)

    def _answered(self) -> None:
        """The place is free; what the application still does (background tasks) is not part of the call."""
        self._exchange.wake_reader()
        self._exchange.end_work()
