"""WSGI applications: in threads, requests and answers streamed."""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ffx_runtime.context import Cancelled
from ffx_runtime.report import current_request
from ffx_runtime.style import Style, failure, trace
from ffx_runtime.threadwriter import ThreadWriter
from ffx_runtime.wire import BadAnswer, encode
from ffx_runtime.workers import Job

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.server import Server
    from ffx_runtime.workers import Post


class WsgiStyle(Style):
    streams_request = True

    def __init__(self, server: Server, app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(server)
        self._app = app

    def begin(self, exchange: Exchange) -> None:
        body = RequestBody(exchange, self.server.post)
        job = Job(lambda job: contextvars.Context().run(self._call, exchange, body, job), exchange.end_work)
        exchange.work = WsgiWork(job, body)
        try:
            self.server.workers.submit(job)
        except RuntimeError as error:
            exchange.refuse("function-error", f"no thread could be started: {error}; raise limits.processes")
            exchange.end_work()

    def _call(self, exchange: Exchange, body: RequestBody, job: Job) -> None:
        current_request.set(exchange.request_id)
        answer = WsgiAnswer(exchange, self.server.post, job)
        try:
            environ = _environ(exchange)
            environ["wsgi.input"] = io.BufferedReader(body)
            pieces = self._app(environ, answer.start_response)
            try:
                for data in pieces:
                    answer.write(data)
                answer.finish()
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
        except Cancelled as error:
            sys.stderr.write(f"the call was cancelled\n{trace(error)}")
            raise
        except BadAnswer as error:
            self.server.post(exchange.refuse, "function-error", str(error))
            sys.stderr.write(f"{error}\n")
        except BaseException as error:
            self.server.post(exchange.refuse, "function-error", failure(error))
            sys.stderr.write(trace(error))
        finally:
            self.server.streams.end_call(exchange.request_id)


class WsgiWork:
    def __init__(self, job: Job, body: RequestBody) -> None:
        self._job = job
        self._body = body

    def cancel(self) -> None:
        self._body.gone.set()
        self._job.cancel()


class WsgiAnswer:
    """The first piece decides: alone (or all of the announced length) it goes out as one answer, else as a stream."""

    def __init__(self, exchange: Exchange, post: Post, job: Job) -> None:
        self._exchange = exchange
        self._post = post
        self._writer = ThreadWriter(exchange, post, job)
        self._head: tuple[int, bytes, int | None] | None = None
        self._started = False
        self._held: bytes | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info:
            if self._started:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._head is not None:
            raise BadAnswer("start_response was called twice")
        code = status.split(" ", 1)[0]
        if not code.isdigit() or not 200 <= int(code) <= 599:
            raise BadAnswer(f"the status {status!r} does not begin with a number from 200 to 599")
        lines, length = encode((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
        self._head = int(code), lines, length
        return self.write

    def write(self, data: bytes) -> None:
        if self._head is None:
            raise BadAnswer("the application wrote before it called start_response")
        if not isinstance(data, bytes):
            raise BadAnswer(f"a WSGI application may yield bytes, not {type(data).__name__}")
        if not data:
            return
        if not self._started:
            status, lines, length = self._head
            if length is not None and length == len(data) and self._held is None:
                self._held = data  # complete already; finish() sends it with the headers
                return
            self._started = True
            self._writer.start(status, lines, length)
            if self._held is not None:
                self._writer.write(self._held)
                self._held = None
        self._writer.write(data)

    def finish(self) -> None:
        if self._head is None:
            raise BadAnswer("the application returned without calling start_response")
        if self._started:
            self._writer.finish()
            return
        status, lines, length = self._head
        if self._held is None and length and self._exchange.method != "HEAD":
            raise BadAnswer(f"the application announced {length} bytes and sent none")
        if length is not None and self._held is None:  # HEAD: the length that GET would have
            self._post(self._exchange.start, status, lines, length)
            self._post(self._exchange.finish)
        else:
            self._post(self._exchange.answer, status, lines, self._held or b"")


class RequestBody(io.RawIOBase):
    """``wsgi.input``: waits in the thread for what the loop receives."""

    def __init__(self, exchange: Exchange, post: Post) -> None:
        self._exchange = exchange
        self._post = post
        self._buffer = b""
        self._ended = exchange.complete and not exchange.buffer
        self._arrived = threading.Event()
        self.gone = threading.Event()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        if not self._buffer and not self._ended:
            self._fill()
        taken = self._buffer[: len(target)]
        target[: len(taken)] = taken
        self._buffer = self._buffer[len(taken) :]
        return len(taken)

    def _fill(self) -> None:
        self._arrived.clear()
        self._post(self._ask)
        while not self._arrived.wait(0.5):
            if self.gone.is_set():
                raise Cancelled
        if self.gone.is_set():
            raise Cancelled

    def _ask(self) -> None:
        """On the loop: take what is there, or come back when something is."""
        task = self._exchange.connection.loop.create_task(self._read())
        self._exchange.connection.server.tasks.add(task)
        task.add_done_callback(self._exchange.connection.server.tasks.discard)

    async def _read(self) -> None:
        try:
            self._buffer = await self._exchange.read()
            self._ended = not self._buffer
        except Exception:
            self.gone.set()
        finally:
            self._arrived.set()


def _environ(exchange: Exchange) -> dict[str, Any]:
    """PEP 3333. SCRIPT_NAME is the function's prefix, PATH_INFO what follows."""
    path = unquote_to_bytes(exchange.path).decode("latin-1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": exchange.method,
        "SCRIPT_NAME": exchange.platform.get(b"x-forwarded-prefix", b"").decode("latin-1").rstrip("/"),
        "PATH_INFO": path,
        "QUERY_STRING": exchange.query.decode("latin-1"),
        "RAW_URI": exchange.path.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/1.1" if exchange.http11 else "HTTP/1.0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in exchange.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    if environ.get("HTTP_X_FORWARDED_PROTO") in ("http", "https"):
        environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"]
    host, _, port = environ.get("HTTP_HOST", "localhost").partition(":")
    environ["SERVER_NAME"] = host
    environ["SERVER_PORT"] = port or ("443" if environ["wsgi.url_scheme"] == "https" else "80")
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded:
        environ["REMOTE_ADDR"] = forwarded.rpartition(",")[2].strip()
    return environ
