"""A stream's messages without their data, from the first one on and for ever: one ordered consumer, headers only."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator

from faasioflex.bus.nats.feed import SECOND_NS, Record, open_feed, to_the_end
from faasioflex.bus.nats.jetstream import JetStream
from faasioflex.bus.nats.streams import until
from faasioflex.bus.port import CaughtUp, MessageHead

SIZE = "Nats-Msg-Size"  # the server's word for what it left out


class Heads:
    """One ``Bus.heads``: it knows where it is and goes on there after a break."""

    def __init__(self, jetstream: JetStream, stream: str, subject: str, after: int = 0) -> None:
        self._connection = jetstream.connection
        self._stream, self._subject = stream, subject
        self._position = after
        self._caught_up = False

    async def items(self) -> AsyncGenerator[MessageHead | CaughtUp, None]:
        """Raises Unavailable before CaughtUp; afterwards it waits for the server as long as it takes."""
        while True:
            deadline = math.inf if self._caught_up else self._connection.deadline()
            link = await self._connection.link(None if self._caught_up else deadline)
            async with until(deadline, self._stream):
                start = {
                    "deliver_policy": "by_start_sequence",
                    "opt_start_seq": self._position + 1,
                    "headers_only": True,
                }
                async with open_feed(link, self._stream, self._subject, start) as feed:
                    if not self._caught_up:
                        async for record in to_the_end(feed):
                            yield self._head(record)
                        self._caught_up = True
                        yield CaughtUp()
                    while True:
                        following = await feed.next()
                        if following is not None:
                            yield self._head(following)

    def _head(self, record: Record) -> MessageHead:
        self._position = record.sequence
        headers = record.headers or {}
        return MessageHead(
            record.subject, headers, record.sequence, record.time_ns / SECOND_NS, int(headers.get(SIZE, 0))
        )
