"""Log lines of functions and builds on their way into the streams. Nothing waits for them; nothing unbounded piles up."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.model.errors import DeadlineExceeded, Unavailable
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import LogLine, Stream
from faasioflex.model.messages import BUILD_LOGS_SUBJECT, LOGS_SUBJECT

log = structlog.get_logger(__name__)
MOST_BYTES = 32 * 1024 * 1024  # waiting for the stream; while it is away longer than that, the oldest go
AT_ONCE = 200
RETRY_S = 0.25


class Journal:
    """Appends lines in order, in batches; :meth:`flush` returns when all that was written before it is stored."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._clock = clock
        self._lines: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._added = self._done = 0  # lines ever taken in; of those, the ones that are stored or given up
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()  # set at each step, then a new one
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        if self._task:
            try:
                await asyncio.wait_for(self.flush(), 2.0)
            except TimeoutError:
                log.warning("log lines are lost: the stream is away", lines=self._added - self._done)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def lines(self, lines: tuple[LogLine, ...]) -> None:
        """What instances wrote."""
        self._add([(f"{LOGS_SUBJECT}.{line.function.key}", line) for line in lines])

    def note(self, state: FunctionState, one: TrackedInstance, message: str) -> None:
        """What the platform has to say about an instance, in the function's own log."""
        line = LogLine(self._clock(), state.name, one.revision, one.id, "platform", message)
        self._add([(f"{LOGS_SUBJECT}.{state.name.key}", line)])

    def build_writer(self, record: RevisionRecord) -> Callable[[str], None]:
        """A function that takes the lines of one build."""
        subject = f"{BUILD_LOGS_SUBJECT}.{record.function.key}"

        def write(message: str, stream: Stream = "stdout") -> None:
            self._add([(subject, LogLine(self._clock(), record.function, record.number, "build", stream, message))])

        return write

    async def flush(self) -> None:
        until = self._added
        while self._done < until:
            await self._progress.wait()

    def _add(self, lines: list[tuple[str, LogLine]]) -> None:
        for subject, line in lines:
            data = encode(line)
            self._lines.append((subject, data))
            self._bytes += len(data)
            self._added += 1
        dropped = 0
        while self._bytes > MOST_BYTES:
            self._take()
            dropped += 1
        if dropped:
            log.warning("log lines dropped: the stream is away", lines=dropped)
            self._step(dropped)
        self._wake.set()

    def _take(self) -> tuple[str, bytes]:
        subject, data = self._lines.popleft()
        self._bytes -= len(data)
        return subject, data

    def _step(self, lines: int) -> None:
        self._done += lines
        reached, self._progress = self._progress, asyncio.Event()
        reached.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._lines:
                batch = [self._take() for _ in range(min(AT_ONCE, len(self._lines)))]
                size = len(batch)
                while batch:
                    results = await asyncio.gather(*(self._bus.append(*line) for line in batch), return_exceptions=True)
                    for one in results:
                        if isinstance(one, BaseException) and not isinstance(one, Unavailable | DeadlineExceeded):
                            log.error("a log line cannot be stored", error=str(one))  # nor ever will be
                    batch = [
                        line
                        for line, one in zip(batch, results, strict=True)
                        if isinstance(one, Unavailable | DeadlineExceeded)
                    ]
                    if batch:
                        await asyncio.sleep(RETRY_S)
                self._step(size)
