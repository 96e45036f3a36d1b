"""Threads for functions that block. A call in one of them can be cancelled: an exception is raised inside it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from ffx_runtime.context import Cancelled


class Post:
    """Calls into the loop from other threads, in order; many of them cost one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._flagged = False

    def __call__(self, function: Callable[..., object], *arguments: Any) -> None:
        self._calls.append((function, arguments))
        if not self._flagged:
            self._flagged = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._flagged = False  # first: what is appended from here on wakes the loop again
        while self._calls:
            function, arguments = self._calls.popleft()
            function(*arguments)


class Job:
    """One piece of work for a thread. ``ended`` is called on the loop when the thread has left it."""

    def __init__(self, run: Callable[[Job], None], ended: Callable[[], None]) -> None:
        self.run = run
        self.ended = ended
        self.cancelled = False
        self.on_cancel: Callable[[], None] | None = None
        self._thread: int | None = None
        self._may_end: list[None] = [None]  # popped by the one of thread and canceller that comes first
        self._raised = False

    def cancel(self) -> None:
        """Raise Cancelled in the work, at its next step of Python. On the loop's thread only; the second time does nothing."""
        if self.cancelled:
            return
        self.cancelled = True
        if self.on_cancel is not None:
            self.on_cancel()
        if self._thread is None:
            return
        try:
            self._may_end.pop()
        except IndexError:
            return
        raise_in(self._thread, Cancelled)
        self._raised = True

    def work(self) -> None:
        """Run on the calling thread. A Cancelled that is on its way has arrived when this returns."""
        self._thread = threading.get_ident()
        try:
            if not self.cancelled:
                self.run(self)
        except Cancelled:
            pass
        while True:
            try:
                self._end()
                return
            except Cancelled:
                continue

    def _end(self) -> None:
        try:
            self._may_end.pop()
        except IndexError:
            while not self._raised:
                time.sleep(0.001)
            raise_in(threading.get_ident(), None)


def raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise ``error`` in another thread at its next step; None takes back one that has not been raised yet."""
    import ctypes

    raised = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


class Workers:
    """Threads as they are needed; there are never more jobs than the gate lets in."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._threads = 0
        self._idle = 0  # threads without a job, less jobs without a thread; the loop's thread alone changes it

    def submit(self, job: Job) -> None:
        """On the loop's thread.

        Raises: RuntimeError where not even one thread can be had.
        """
        if self._idle <= 0:
            self._start_thread()
        self._idle -= 1
        self._jobs.put(job)

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._loop, name="ffx-worker", daemon=True).start()
        except RuntimeError:  # the limit on processes: the job waits for one of the others
            if self._threads == 0:
                raise
            return
        self._threads += 1
        self._idle += 1

    def _loop(self) -> None:
        while True:
            job = self._jobs.get()
            job.work()
            self._post(self._ended, job)
            del job

    def _ended(self, job: Job) -> None:
        self._idle += 1
        job.ended()
