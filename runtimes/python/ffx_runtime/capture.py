"""stdout and stderr of a function: lines with the request id of the call that wrote them, whatever thread it was in."""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from typing import TYPE_CHECKING, Any

from ffx_runtime.report import LONGEST_LINE, Report, current_request

if TYPE_CHECKING:
    from collections.abc import Callable


class LineStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` and ``sys.stderr``. A line is sent when it ends; the rest of one when its call ends."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, report: Report, name: str, fd: int) -> None:
        self._report = report
        self._name = name
        self._fd = fd
        self._partial: dict[str | None, str] = {}
        self.buffer = _Bytes(self)
        self.mode = "w"
        self.name = f"<{name}>"

    def write(self, text: str, /) -> int:
        request = current_request.get()
        *lines, rest = (self._partial.pop(request, "") + text).split("\n")
        for line in lines:
            self._report.line(self._name, line.removesuffix("\r"), request)
        if len(rest) > LONGEST_LINE:
            self._report.line(self._name, rest, request)
        elif rest:
            self._partial[request] = rest
        return len(text)

    def end_call(self, request: str | None) -> None:
        """Send what the call left without a line break."""
        rest = self._partial.pop(request, "")
        if rest:
            self._report.line(self._name, rest, request)

    def fileno(self) -> int:
        return self._fd

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        """Lines are never held back; a partial one waits for its end."""

    def reconfigure(self, **_options: object) -> None:
        """Accepted: the encoding is always UTF-8."""


class _Bytes(io.RawIOBase):
    """``sys.stdout.buffer``."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream

    def write(self, data: Any, /) -> int:
        raw = bytes(data)
        self._stream.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


class Streams:
    """Both streams, put in place of the process's own."""

    def __init__(self, report: Report) -> None:
        self.stdout = LineStream(report, "stdout", 1)
        self.stderr = LineStream(report, "stderr", 2)

    def install(self) -> None:
        sys.stdout = self.stdout
        sys.stderr = self.stderr
        _inherit_context()

    def end_call(self, request: str | None) -> None:
        if self.stdout._partial or self.stderr._partial:
            self.stdout.end_call(request)
            self.stderr.end_call(request)


def _inherit_context() -> None:
    """Let threads that a handler starts know whose call they belong to.

    A thread takes a copy of its starter's context. A pool's thread outlives the call that happened to start it, so there
    each piece of work brings its own.
    """
    from concurrent.futures import ThreadPoolExecutor

    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_with_context(self: threading.Thread) -> None:
        if current_request.get() is not None:
            context, run = contextvars.copy_context(), self.run

            def run_in_context() -> None:
                del self.run
                context.run(run)

            self.run = run_in_context  # type: ignore[method-assign]
        start(self)

    def submit_with_context(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        return submit(self, contextvars.copy_context().run, function, *args, **named)

    threading.Thread.start = start_with_context  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = submit_with_context  # type: ignore[method-assign, assignment]
