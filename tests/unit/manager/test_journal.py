"""The journal: order, bounds, and nobody waits for lines that came after."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.manager import journal
from faasioflex.manager.journal import Journal
from faasioflex.model.errors import Invalid, Unavailable
from faasioflex.model.instance import LogLine
from faasioflex.model.names import FunctionName


class Stream(MemoryBus):
    """``gate``: what appends wait for; ``refuse``: messages in which one of these is; ``fail``: so many appends fail."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[bytes] = []
        self.turns = asyncio.Semaphore(0)
        self.refuse = b"\0"
        self.fail = 0

    async def append(self, subject: str, data: bytes, *, message_id: str | None = None) -> int:
        await self.turns.acquire()
        if self.refuse in data:
            raise Invalid("never")
        if self.fail:
            self.fail -= 1
            raise Unavailable("away")
        self.stored.append(data)
        return len(self.stored)


def line(message: str) -> LogLine:
    return LogLine(1.0, FunctionName("acme", "hello"), 1, "i", "stdout", message)


async def test_flush_waits_for_what_was_there_and_not_for_more() -> None:
    stream = Stream()
    made = Journal(stream)
    await made.start()
    made.lines((line("one"),))
    flushing = asyncio.create_task(made.flush())
    await asyncio.sleep(0)
    made.lines((line("two"),))
    stream.turns.release()
    await asyncio.wait_for(flushing, 5)
    stream.turns.release()
    await made.stop()
    assert len(stream.stored) == 2


async def test_a_line_that_cannot_be_stored_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RETRY_S", 0.0)
    stream = Stream()
    stream.refuse = b"poison"
    stream.fail = 1
    for _ in range(10):
        stream.turns.release()
    made = Journal(stream)
    await made.start()
    made.lines((line("one"), line("poison"), line("two"), line("three")))
    await asyncio.wait_for(made.flush(), 5)
    await made.stop()
    assert len(stream.stored) == 3  # each once, also after one of the batch had to be repeated


async def test_the_oldest_go_when_the_stream_is_away_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_BYTES", 1000)
    stream = Stream()
    made = Journal(stream)
    made.lines(tuple(line(f"number {number} " + "x" * 100) for number in range(50)))
    for _ in range(50):
        stream.turns.release()
    await made.start()
    await asyncio.wait_for(made.flush(), 5)
    await made.stop()
    assert 0 < len(stream.stored) < 10
    assert b"number 49" in stream.stored[-1]
