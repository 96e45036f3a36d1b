"""WebSocket for ASGI applications: the handshake on the HTTP connection, then a protocol of its own."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from ffx_runtime import isolate
from ffx_runtime.context import Cancelled
from ffx_runtime.gate import Sweepable
from ffx_runtime.report import current_request
from ffx_runtime.style import failure, trace
from ffx_runtime.wire import BadAnswer, encode

with isolate.own_packages():
    from websockets.exceptions import ProtocolError
    from websockets.frames import Frame, Opcode
    from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ffx_runtime.exchange import Exchange

Message = dict[str, Any]
GOING_AWAY, BAD_TEXT, FAILED, RESTART = 1001, 1007, 1011, 1012
DISCONNECT_GRACE_S = 1.0
CLOSE_S = 5.0  # for the client's half of the closing handshake
QUEUED_BYTES = 256 * 1024  # of messages that the application has not taken, before reading pauses
_HANDSHAKE = frozenset({b"host", b"upgrade", b"connection", b"origin"})
_quiet = logging.Logger("ffx.websocket", logging.CRITICAL + 1)


class ClientGone(OSError):
    """Raised by ``send`` when the connection is closed."""


class WebSocket(asyncio.Protocol, Sweepable):
    """States: connecting (the exchange answers) -> open -> closed. The call's place is held until the application ends."""

    lasts = True

    def __init__(self, app: Callable[..., Any], scope: Message, exchange: Exchange) -> None:
        self._app = app
        self._scope = scope
        self._server = exchange.connection.server
        self._exchange = exchange
        self.transport = exchange.connection.transport
        self.due = float("inf")
        self._protocol = ServerProtocol(max_size=self._server.settings.payload_bytes, logger=_quiet)
        self._protocol.receive_data(_handshake(exchange))
        self._response = self._protocol.accept(self._protocol.events_received()[0])  # type: ignore[arg-type]
        self._queue: deque[Message] = deque([{"type": "websocket.connect"}])
        self._queued = 0
        self._arrived: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._open = False
        self._closed = False
        self._paused = False
        self._rejection: tuple[int, bytes] | None = None
        self._fragments: list[bytes] = []
        self._text = False
        exchange.work = self
        if self._response.status_code != 101:
            lines, _ = encode((k.encode(), v.encode("latin-1")) for k, v in self._response.headers.raw_items())
            exchange.answer(self._response.status_code, lines, bytes(self._response.body or b""))
            exchange.end_work()
            return
        self._task = self._server.loop.create_task(self._run())

    # The application

    async def _run(self) -> None:
        exchange = self._exchange
        scope = self._scope | {
            "subprotocols": _subprotocols(exchange),
            "extensions": {"websocket.http.response": {}},
        }
        current_request.set(exchange.request_id)
        code = 1000
        try:
            await self._app(scope, self.receive, self.send)
            if not self._open and not exchange.done:
                raise BadAnswer("the application returned without accepting or refusing the WebSocket")
        except (asyncio.CancelledError, Cancelled) as error:
            code = GOING_AWAY
            sys.stderr.write(f"the call was cancelled\n{trace(error)}")
        except ClientGone:
            pass
        except BaseException as error:
            code = FAILED
            sys.stderr.write(trace(error))
            if not self._open:
                exchange.refuse("function-error", failure(error))
        finally:
            if self._open:
                self._close(code, "")
            self._server.streams.end_call(exchange.request_id)
            exchange.end_work()

    async def receive(self) -> Message:
        while not self._queue:
            self._arrived = self._server.loop.create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        message = self._queue.popleft()
        self._queued -= _size(message)
        if self._paused and self._queued <= QUEUED_BYTES:
            self._paused = False
            self.transport.resume_reading()
        if message["type"] == "websocket.disconnect":
            self._queue.append(message)  # asked again, it is told again
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if not self._open and not self._closed:
            self._answer_handshake(kind, message)
            return
        if self._closed:
            raise ClientGone("the WebSocket is closed")
        if kind == "websocket.send":
            text = message.get("text")
            if text is not None:
                self._protocol.send_text(text.encode())
            else:
                self._protocol.send_binary(message.get("bytes") or b"")
            self._touch()
            self._flush()
            await self._writable.wait()
        elif kind == "websocket.close":
            self._close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"{kind!r} is no message of an open WebSocket")

    def cancel(self) -> None:
        """The application was told by ``websocket.disconnect``; it is cancelled where it goes on."""
        self._tell_disconnect(1006, "")
        self._server.loop.call_later(DISCONNECT_GRACE_S, self._task.cancel)

    # The handshake

    def _answer_handshake(self, kind: str, message: Message) -> None:
        exchange = self._exchange
        if exchange.done:
            raise ClientGone("the call is over")
        if kind == "websocket.accept":
            if exchange.claim():
                self._accept(message)
        elif kind == "websocket.close":
            exchange.answer(403, b"", b"")
        elif kind == "websocket.http.response.start":
            self._rejection = message["status"], encode(message.get("headers", ()))[0]
            self._fragments = []
        elif kind == "websocket.http.response.body" and self._rejection is not None:
            self._fragments.append(message.get("body", b""))
            if not message.get("more_body", False):
                exchange.answer(*self._rejection, b"".join(self._fragments))
        else:
            raise RuntimeError(f"{kind!r} is no answer to a WebSocket's handshake")

    def _accept(self, message: Message) -> None:
        exchange = self._exchange
        lines, _ = encode(message.get("headers", ()))
        if message.get("subprotocol"):
            self._response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        for line in lines.decode("latin-1").splitlines():
            name, _, value = line.partition(": ")
            self._response.headers[name] = value
        exchange.started = self._open = True
        connection = exchange.connection
        self._server.connections.discard(connection)
        self._server.connections.add(self)  # type: ignore[arg-type]
        connection.current = None
        self.transport.set_protocol(self)
        self._protocol.send_response(self._response)
        self._touch()
        self._flush()
        connection.resume_reading()

    # The open connection

    def data_received(self, data: bytes) -> None:
        self._touch()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self.due = float("inf")
        self._closed = True
        self._writable.set()
        self._tell_disconnect(1006, "")
        self._exchange.disconnected = True
        self._exchange.due = self._server.loop.time() + DISCONNECT_GRACE_S
        self._exchange.cancel_work()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def expire(self) -> None:
        """Nothing was said for ``timeout_s``, or the client does not finish its half of the closing."""
        if self._closed:
            self.transport.abort()
        else:
            self._close(GOING_AWAY, f"silent for {self._exchange.timeout_s:g} s")

    def shutdown(self) -> None:
        """The instance ends: say so. The application is told, and may finish."""
        if not self._closed:
            self._close(RESTART, "the instance ends")

    def give_up(self) -> None:
        self.transport.abort()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            received = self._protocol.close_rcvd
            self._tell_disconnect(received.code if received else 1005, received.reason if received else "")
            self._closed = True
            return
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return  # answered by the protocol
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
            self._fragments = []
        self._fragments.append(bytes(frame.data))
        if not frame.fin or self._closed:
            return
        data = b"".join(self._fragments)
        self._fragments = []
        if not self._text:
            self._put({"type": "websocket.receive", "bytes": data})
            return
        try:
            self._put({"type": "websocket.receive", "text": data.decode()})
        except UnicodeDecodeError:
            self._close(BAD_TEXT, "not UTF-8")

    def _put(self, message: Message) -> None:
        self._queue.append(message)
        self._queued += _size(message)
        if self._queued > QUEUED_BYTES and not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _tell_disconnect(self, code: int, reason: str) -> None:
        if not any(message["type"] == "websocket.disconnect" for message in self._queue):
            self._put({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _close(self, code: int, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._protocol.send_close(code, reason)
        except ProtocolError:
            self._protocol.fail(FAILED, "bad close code")
        self._tell_disconnect(code, reason)
        self._flush()
        self.due = self._server.loop.time() + CLOSE_S
        self._server.sweeper.notice(self.due)
        if code != 1000:  # the application did not ask for the end: give it a moment, then end it
            self._exchange.due = self._server.loop.time() + DISCONNECT_GRACE_S
            if not self._exchange.done:
                self._exchange.disconnected = True
                self._exchange.cancel_work()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()
        if self._protocol.close_expected() and not self._closed:
            self._closed = True
            self._tell_disconnect(self._protocol.close_code or 1006, self._protocol.close_reason or "")

    def _touch(self) -> None:
        if not self._closed:
            self._exchange.due = self.due = self._server.loop.time() + self._exchange.timeout_s
            self._server.sweeper.notice(self.due)


def _handshake(exchange: Exchange) -> bytes:
    """The request again, for the protocol's parser: with the headers that matter to it."""
    query = b"?" + exchange.query if exchange.query else b""
    head = [b"%b %b%b HTTP/1.1\r\n" % (exchange.method.encode(), exchange.path, query)]
    for name, value in exchange.headers:
        if name in _HANDSHAKE or name.startswith(b"sec-websocket-"):
            head.append(b"%b: %b\r\n" % (name, value))
    return b"".join(head) + b"\r\n"


def _subprotocols(exchange: Exchange) -> list[str]:
    found = [value for name, value in exchange.headers if name == b"sec-websocket-protocol"]
    return [one.strip().decode("latin-1") for value in found for one in value.split(b",")]


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or b"")
