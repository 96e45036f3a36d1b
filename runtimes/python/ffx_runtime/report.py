"""The pipe to the platform: one JSON object per line. Lines of the log carry the request id of the call that wrote them."""

from __future__ import annotations

import json
import os
import threading
from contextvars import ContextVar

LONGEST_LINE = 16 * 1024  # bytes of one line; longer ones are cut into pieces
current_request: ContextVar[str | None] = ContextVar("ffx_request", default=None)


class Report:
    """Thread-safe. Without a descriptor (a run outside the platform) lines go to the real stdout and stderr."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        if fd is not None:
            os.set_inheritable(fd, False)

    def ready(self) -> None:
        if self._fd is not None:
            self._write({"ready": True})

    def line(self, stream: str, message: str, request_id: str | None) -> None:
        """One line of the log, without its line break."""
        if self._fd is None:
            self._raw(stream, message)
            return
        for piece in _pieces(message):
            self._write({"log": {"stream": stream, "message": piece, "request_id": request_id}})

    def _write(self, document: dict[str, object]) -> None:
        data = json.dumps(document).encode() + b"\n"
        try:
            with self._lock:
                while data:
                    data = data[os.write(self._fd or 0, data) :]
        except OSError:
            self._fd = None  # the platform has gone; what follows goes to the raw streams

    def _raw(self, stream: str, message: str) -> None:
        data = message.encode("utf-8", "backslashreplace") + b"\n"
        try:
            while data:
                data = data[os.write(2 if stream == "stderr" else 1, data) :]
        except OSError:
            return  # nobody reads this stream any more


def _pieces(message: str) -> list[str]:
    encoded = message.encode("utf-8", "backslashreplace")
    if len(encoded) <= LONGEST_LINE:
        return [encoded.decode()]
    return [encoded[at : at + LONGEST_LINE].decode("utf-8", "replace") for at in range(0, len(encoded), LONGEST_LINE)]
