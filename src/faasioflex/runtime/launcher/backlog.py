"""Events for the manager, in order, kept until it has acknowledged them; bounded while it is away.

Ready and ended are never dropped: their number is bounded by that of instances. Log lines are: first the oldest of the instance
that holds the most, and in the place of the first stands then a line that says how many there were.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

Record = dict[str, Any]  # as it goes over the wire: see wire.py

BOUND_BYTES = 16 * 1024 * 1024
_OVERHEAD_BYTES = 1024  # of one line in our memory, beside its text
_BATCH_RECORDS = 500
_BATCH_BYTES = 512 * 1024


class Backlog:
    """``dropped_line`` makes the platform's line from one of those that were dropped and their number."""

    def __init__(self, dropped_line: Callable[[Record, int], Record], bound_bytes: int = BOUND_BYTES) -> None:
        self._dropped_line = dropped_line
        self._bound = bound_bytes
        self._records: dict[int, tuple[Record, int]] = {}  # sequence -> (record, size); in order
        self._lines: dict[str, deque[int]] = defaultdict(deque)  # instance -> sequences of its log lines
        self._held: dict[str, int] = defaultdict(int)  # instance -> bytes of its log lines
        self._gaps: dict[str, tuple[int, int]] = {}  # instance -> (sequence of its notice, lines dropped)
        self._bytes = 0
        self._next = 1
        self._sent = 0
        self._grown = asyncio.Event()

    def add(self, record: Record) -> None:
        """Something that is never dropped."""
        self._keep(record, 0)

    def add_line(self, instance: str, record: Record) -> None:
        size = len(record["message"]) + _OVERHEAD_BYTES
        self._lines[instance].append(self._next)
        self._held[instance] += size
        self._bytes += size
        self._keep(record, size)
        if self._bytes > self._bound:
            self._make_room()

    def _keep(self, record: Record, size: int) -> None:
        self._records[self._next] = (record, size)
        self._next += 1
        self._grown.set()

    def _make_room(self) -> None:
        """Down to nine tenths, so that not every line has to look for the greediest again."""
        while self._bytes > self._bound * 0.9:
            instance = max(self._held, key=lambda name: self._held[name])
            sequence = self._lines[instance].popleft()
            record, size = self._records[sequence]
            self._forget_line(instance, size)
            first, dropped = self._gaps.get(instance, (sequence, 0))
            if first <= self._sent < sequence:  # that notice is with the reader already: it cannot tell of this line
                first, dropped = sequence, 0
            if first == sequence:
                self._records[sequence] = (self._dropped_line(record, 1), 0)
            else:
                del self._records[sequence]
                self._records[first] = (self._dropped_line(record, dropped + 1), 0)
            self._gaps[instance] = (first, dropped + 1)

    def _forget_line(self, instance: str, size: int) -> None:
        self._bytes -= size
        self._held[instance] -= size
        if not self._lines[instance]:
            del self._lines[instance], self._held[instance]

    def rewind(self) -> None:
        """A new reader: everything that is not acknowledged is sent again."""
        self._sent = 0
        self._grown.set()

    async def batch(self) -> tuple[list[Record], int]:
        """The next unsent records and the sequence to acknowledge; waits until there are some."""
        while True:
            self._grown.clear()
            records: list[Record] = []
            size = upto = 0
            for sequence, (record, record_size) in self._records.items():
                if sequence <= self._sent:
                    continue
                records.append(record)
                size += record_size
                upto = sequence
                if len(records) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
                    break
            if records:
                self._sent = upto
                self._gaps = {name: gap for name, gap in self._gaps.items() if gap[0] > upto}
                return records, upto
            await self._grown.wait()

    def acknowledge(self, upto: int) -> None:
        """Everything up to ``upto`` has been taken care of."""
        for sequence in list(self._records):
            if sequence > upto:
                break
            record, size = self._records.pop(sequence)
            if size:
                self._lines[record["instance"]].popleft()
                self._forget_line(record["instance"], size)
