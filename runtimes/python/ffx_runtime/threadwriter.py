"""Streaming from a worker's thread: answers with backpressure, and request bodies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ffx_runtime.context import Cancelled

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.workers import Job, Post

AHEAD_BYTES = 256 * 1024  # written by the thread and not yet taken by the client


class ThreadWriter:
    """The answer of one exchange, written by one thread. Methods raise Cancelled where nobody listens any more."""

    def __init__(self, exchange: Exchange, post: Post, job: Job) -> None:
        self._exchange = exchange
        self._post = post
        self._job = job
        self._room = threading.Event()
        self._sent = 0
        self._written = 0
        self._acknowledged = 0
        job.on_cancel = self._room.set

    def start(self, status: int, lines: bytes, length: int | None) -> None:
        self._post(self._exchange.start, status, lines, length)

    def write(self, data: bytes) -> None:
        """Hand over ``data``; wait while the client lags too far behind."""
        if not data:
            return
        self._sent += len(data)
        self._post(self._write, data)
        while True:
            if self._exchange.done or self._job.cancelled:
                raise Cancelled
            self._room.clear()
            if self._sent - self._acknowledged <= AHEAD_BYTES or self._job.cancelled:
                return
            self._room.wait()

    def finish(self) -> None:
        self._post(self._exchange.finish)

    def _write(self, data: bytes) -> None:
        self._exchange.write(data)
        self._written += len(data)
        connection = self._exchange.connection
        if connection.write_paused and not self._exchange.done:
            connection.on_writable.append(self._acknowledge)
        else:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledged = self._written
        self._room.set()
