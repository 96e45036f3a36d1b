"""Lines out of the pipes of a sandbox: cut, counted, dropped where there are too many. Never blocks, never grows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from faasioflex.runtime.launcher.rate import Rate

LONGEST_LINE_BYTES = 16 * 1024
_PIECE_BYTES = 64 * 1024
_LEAST_PAUSE_S = 0.001  # between two pieces of a flood: 64 MiB/s at most, the writer waits meanwhile
_PAUSE_PER_WORK = 10  # and at most a tenth of our time for each flood


class LinePipe:
    """Reads ``descriptor`` (it owns it) until its end; ``take`` gets each line without its end, of at most ``longest`` bytes.

    A longer line comes in pieces, or not at all where ``whole`` lines are asked for. While ``essential`` is set, lines that
    begin with it are never dropped.
    """

    def __init__(
        self,
        descriptor: int,
        rate: Rate,
        take: Callable[[bytes], None],
        *,
        longest: int = LONGEST_LINE_BYTES,
        whole: bool = False,
        essential: bytes | None = None,
    ) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._rate = rate
        self._take = take
        self._longest = longest
        self._whole = whole
        self.essential = essential
        self._buffer = b""
        self._inside_dropped = False
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self.closed = asyncio.Event()
        self._loop.add_reader(descriptor, self._readable)

    def _readable(self) -> None:
        try:
            piece = os.read(self._descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return
        if not piece:
            self.close()
            return
        begun = self._loop.time()
        if not (self._rate.muted(begun) and self._throw_away(piece)):
            self._split(piece)
        now = self._loop.time()
        if self._rate.muted(now):
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(max(_LEAST_PAUSE_S, (now - begun) * _PAUSE_PER_WORK), self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._descriptor, self._readable)

    def _throw_away(self, piece: bytes) -> bool:
        """Count and forget, without looking at each line; not where an essential one may be among them."""
        content = self._buffer + piece
        if self.essential is not None and self.essential in content:
            return False
        head, newline, rest = content.rpartition(b"\n")
        self._rate.drop(head.count(b"\n") + len(newline))
        fits = len(rest) <= self._longest
        self._inside_dropped = not fits or (self._inside_dropped and not newline)
        self._buffer = rest if fits else b""
        return True

    def _split(self, piece: bytes) -> None:
        now = self._loop.time()
        *lines, rest = (self._buffer + piece).split(b"\n")
        for line in lines:
            self._line(line, now)
        while len(rest) > self._longest:
            if self._whole:
                self._inside_dropped, rest = True, b""
            else:
                self._offer(rest[: self._longest], now)
                rest = rest[self._longest :]
        self._buffer = rest

    def _line(self, line: bytes, now: float) -> None:
        if self._inside_dropped or (self._whole and len(line) > self._longest):
            self._inside_dropped = False
            self._rate.drop(1)
            return
        self._offer(line[: self._longest], now)
        for start in range(self._longest, len(line), self._longest):
            self._offer(line[start : start + self._longest], now)

    def _offer(self, line: bytes, now: float) -> None:
        if (self.essential is not None and line.startswith(self.essential)) or self._rate.admit(len(line), now):
            self._take(line)

    async def drained(self, timeout_s: float) -> None:
        """Wait for its end, which comes with that of the last process that has the pipe; then close it in any case."""
        try:
            await asyncio.wait_for(self.closed.wait(), timeout_s)
        except TimeoutError:
            self.close()

    def close(self) -> None:
        if self.closed.is_set():
            return
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        if self._buffer:
            self._line(self._buffer, self._loop.time())
        self.closed.set()
