"""Streams in memory: bounded lists of messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from faasioflex.bus.buckets import StreamPlan
from faasioflex.bus.port import StreamMessage
from faasioflex.bus.subjects import matches


class MemoryStream:
    def __init__(self, plan: StreamPlan, now: Callable[[], float]) -> None:
        self.plan = plan
        self._messages: list[StreamMessage] = []
        self._sequence = 0
        self._ids: dict[str, tuple[int, float]] = {}
        self._grown = asyncio.Event()
        self._now = now

    def takes(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.plan.subjects)

    def append(self, subject: str, data: bytes, message_id: str | None) -> int:
        now = self._now()
        if message_id is not None:
            known = self._ids.get(message_id)
            if known is not None and now - known[1] < self.plan.duplicates_s:
                return known[0]
            self._ids[message_id] = (self._sequence + 1, now)
        self._sequence += 1
        self._messages.append(StreamMessage(subject, data, self._sequence, now))
        same = [message for message in self._messages if message.subject == subject]
        if self.plan.max_per_subject is not None and len(same) > self.plan.max_per_subject:
            self._messages.remove(same[0])
        self._grown.set()
        self._grown = asyncio.Event()
        return self._sequence

    async def read(
        self, subject: str, since: float | None, last: int | None, follow: bool
    ) -> AsyncIterator[StreamMessage]:
        found = [message for message in self._messages if matches(subject, message.subject)]
        if since is not None:
            found = [message for message in found if message.time >= since]
        if last is not None:
            found = found[len(found) - min(last, len(found)) :]
        seen = self._sequence
        while True:
            for message in found:
                yield message
            if not follow:
                return
            grown = self._grown
            found = [
                message for message in self._messages if message.sequence > seen and matches(subject, message.subject)
            ]
            seen = self._sequence
            if not found:
                await grown.wait()
