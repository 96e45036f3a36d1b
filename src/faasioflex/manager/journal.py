"""Log lines of functions and builds on their way into the streams. Nothing waits for them; nothing unbounded piles up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.model.errors import FfxError
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import LogLine, Stream
from faasioflex.model.messages import BUILD_LOGS_SUBJECT, LOGS_SUBJECT

log = structlog.get_logger(__name__)
MOST_LINES = 50_000  # waiting for the stream; while it is away longer than that, the oldest go
AT_ONCE = 200
RETRY_S = 0.25


class Journal:
    """Appends lines in order, in batches; :meth:`flush` returns when all that was written before it is stored."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._clock = clock
        self._lines: list[tuple[str, LogLine]] = []
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        if self._task:
            try:
                await asyncio.wait_for(self._empty.wait(), 2.0)
            except TimeoutError:
                log.warning("log lines are lost: the stream is away", lines=len(self._lines))
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
        await self._empty.wait()

    def _add(self, lines: list[tuple[str, LogLine]]) -> None:
        self._lines.extend(lines)
        if len(self._lines) > MOST_LINES:
            log.warning("log lines dropped: the stream is away", lines=len(self._lines) - MOST_LINES)
            del self._lines[: len(self._lines) - MOST_LINES]
        self._empty.clear()
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._lines:
                batch = self._lines[:AT_ONCE]
                try:
                    await asyncio.gather(*(self._bus.append(subject, encode(line)) for subject, line in batch))
                except FfxError:
                    await asyncio.sleep(RETRY_S)
                    continue
                del self._lines[: len(batch)]
            self._empty.set()
