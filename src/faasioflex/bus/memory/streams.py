"""Streams in memory: bounded lists of messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from faasioflex.bus.buckets import StreamPlan
from faasioflex.bus.port import CaughtUp, MessageHead, StreamMessage
from faasioflex.bus.subjects import matches
from faasioflex.model.errors import TooManyCalls


class MemoryStream:
    def __init__(self, plan: StreamPlan, now: Callable[[], float]) -> None:
        self.plan = plan
        self._messages: dict[int, StreamMessage] = {}  # by sequence, in order
        self._size = 0
        self.last_sequence = 0
        self._ids: dict[str, tuple[int, float]] = {}
        self._grown = asyncio.Event()
        self._now = now

    def takes(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.plan.subjects)

    def append(
        self, subject: str, data: bytes, message_id: str | None, headers: Mapping[str, str] | None = None
    ) -> int:
        """Raises: TooManyCalls where the stream refuses when it is full, and it is."""
        now = self._now()
        if message_id is not None:
            known = self._ids.get(message_id)
            if known is not None and now - known[1] < self.plan.duplicates_s:
                return known[0]
        if self.plan.refuses and self._is_full(len(data)):
            raise TooManyCalls(f"{self.plan.name} is full: try again later")
        if message_id is not None:
            self._ids[message_id] = (self.last_sequence + 1, now)
        self.last_sequence += 1
        self._messages[self.last_sequence] = StreamMessage(
            subject, bytes(data), self.last_sequence, now, dict(headers or {})
        )
        self._size += len(data)
        if self.plan.max_per_subject is not None:
            same = [message for message in self._messages.values() if message.subject == subject]
            if len(same) > self.plan.max_per_subject:
                self.remove([same[0].sequence])
        self._grown.set()
        self._grown = asyncio.Event()
        return self.last_sequence

    def message(self, sequence: int) -> StreamMessage | None:
        return self._messages.get(sequence)

    def remove(self, sequences: Sequence[int]) -> None:
        for sequence in sequences:
            found = self._messages.pop(sequence, None)
            if found is not None:
                self._size -= len(found.data)

    async def heads(self, subject: str, after: int) -> AsyncIterator[MessageHead | CaughtUp]:
        seen, caught_up = after, False
        while True:
            grown = self._grown
            found = [
                message
                for sequence, message in self._messages.items()
                if sequence > seen and matches(subject, message.subject)
            ]
            for each in found:
                seen = each.sequence
                yield MessageHead(each.subject, each.headers, each.sequence, each.time, len(each.data))
            if not caught_up:
                caught_up = True
                yield CaughtUp()
            elif not found:
                await grown.wait()

    async def read(
        self, subject: str, since: float | None, last: int | None, follow: bool
    ) -> AsyncIterator[StreamMessage]:
        found = self._matching(subject, 0)
        if since is not None:
            found = [message for message in found if message.time >= since]
        if last is not None:
            found = found[len(found) - min(last, len(found)) :]
        seen = self.last_sequence
        while True:
            for message in found:
                yield message
            if not follow:
                return
            grown = self._grown
            found = self._matching(subject, seen)
            seen = self.last_sequence
            if not found:
                await grown.wait()

    def _matching(self, subject: str, after: int) -> list[StreamMessage]:
        return [
            message
            for message in self._messages.values()
            if message.sequence > after and matches(subject, message.subject)
        ]

    def _is_full(self, more: int) -> bool:
        most = self.plan.max_messages
        return (most is not None and len(self._messages) >= most) or self._size + more > self.plan.max_bytes
