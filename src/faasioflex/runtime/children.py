"""Ends of child processes, by SIGCHLD: one mechanism for Linux and macOS, no thread."""

from __future__ import annotations

import asyncio
import os
import signal


class Children:
    """``wait`` for any number of own children at once. One per event loop, in the main thread."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}

    def start(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def ended(self, pid: int) -> asyncio.Future[int]:
        """A future of the exit code of ``pid`` (negative: the signal). Call it right after the fork, once."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[pid] = future
        self._try(pid)
        return future

    def _reap(self) -> None:
        for pid in tuple(self._waiting):
            self._try(pid)

    def _try(self, pid: int) -> None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == pid:
            future = self._waiting.pop(pid)
            if not future.done():
                future.set_result(os.waitstatus_to_exitcode(status))
