"""Reading streams: the newest of every subject, or messages in order with everything that follows."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from faasioflex.bus.nats.feed import API_S, SECOND_NS, Feed, Record, open_feed, to_the_end
from faasioflex.bus.nats.jetstream import API, PAUSE_S, STREAM_NOT_FOUND, ApiError, Away, JetStream, ask_api
from faasioflex.bus.nats.link import Link
from faasioflex.bus.port import StreamMessage
from faasioflex.model.errors import Unavailable

SLACK = 64  # so many messages too many are rather thrown away here than searched for


@asynccontextmanager
async def until(deadline: float, what: str) -> AsyncIterator[None]:
    """Swallow what another attempt may cure, before ``deadline``. After it, and for what lasts, raise Unavailable."""
    try:
        yield
    except (Away, TimeoutError) as error:
        if asyncio.get_running_loop().time() + PAUSE_S >= deadline:
            raise Unavailable(f"{what} cannot be read: {error or 'no answer in time'}") from error
        await asyncio.sleep(PAUSE_S)
    except ApiError as error:
        missing = error.number == STREAM_NOT_FOUND
        raise Unavailable(f"There is no {what} yet" if missing else f"{what} cannot be read: {error}") from error


Take = Callable[[Record], None]
Begin = Callable[[], None]


async def read_newest(jetstream: JetStream, stream: str, subject: str, take: Take, begin: Begin) -> None:
    """Call ``begin()``, then ``take(record)`` for the newest message of every subject; again from ``begin`` after a break.

    Raises: Unavailable.
    """
    await _read(jetstream, stream, subject, take, begin, start={"deliver_policy": "last_per_subject"})


async def read_newest_heads(jetstream: JetStream, stream: str, subject: str, take: Take, begin: Begin) -> None:
    """As :func:`read_newest`, without the messages' data."""
    await _read(
        jetstream, stream, subject, take, begin, start={"deliver_policy": "last_per_subject", "headers_only": True}
    )


async def read_all(jetstream: JetStream, stream: str, subject: str, take: Take, begin: Begin) -> None:
    """As :func:`read_newest`, for every message."""
    await _read(jetstream, stream, subject, take, begin, start={"deliver_policy": "all"})


async def _read(
    jetstream: JetStream, stream: str, subject: str, take: Take, begin: Begin, *, start: dict[str, Any]
) -> None:
    deadline = jetstream.connection.deadline()
    while True:
        link = await jetstream.connection.link(deadline)
        async with until(deadline, stream):
            begin()
            async with open_feed(link, stream, subject, start) as feed:
                async for record in to_the_end(feed):
                    take(record)
            return


class Reader:
    """One ``Bus.read``: it knows where it is and goes on there after a break."""

    def __init__(
        self, jetstream: JetStream, stream: str, subject: str, *, since: float | None, last: int | None, follow: bool
    ) -> None:
        self._connection = jetstream.connection
        self._stream, self._subject = stream, subject
        self._since, self._last, self._follow = since, last, follow
        self._position: int | None = None  # of the last message that was handed out, or where it would begin
        self._caught_up = False

    async def messages(self) -> AsyncGenerator[StreamMessage, None]:
        """Raises Unavailable; once it follows it waits for the server instead."""
        deadline = self._connection.deadline()
        while True:
            following = self._follow and self._caught_up
            link = await self._connection.link(None if following else deadline)
            async with until(math.inf if following else deadline, self._stream):
                async with open_feed(link, self._stream, self._subject, await self._start(link)) as feed:
                    async for record in self._records(feed):
                        self._position = record.sequence
                        deadline = self._connection.deadline()
                        yield StreamMessage(record.subject, record.data, record.sequence, record.time_ns / SECOND_NS)
                return

    async def _records(self, feed: Feed) -> AsyncIterator[Record]:
        if not self._caught_up:
            kept: deque[Record] = deque(maxlen=self._last)
            async for record in to_the_end(feed):
                if self._too_old(record):
                    continue
                if self._last is None:
                    yield record
                else:
                    kept.append(record)
            self._caught_up = True
            for record in kept:
                yield record
        while self._follow:
            following = await feed.next()
            if following is not None and not self._too_old(following):
                yield following

    def _too_old(self, record: Record) -> bool:
        return self._since is not None and record.time_ns / SECOND_NS < self._since

    async def _start(self, link: Link) -> dict[str, Any]:
        if self._position is None and self._last is not None:
            self._position = await place_of_newest(link, self._stream, self._subject, self._last) - 1
        if self._position is not None:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._position + 1}
        if self._since is not None:
            # A little earlier: a float of seconds is too coarse for the server's nanoseconds; _records cuts off exactly.
            since = datetime.fromtimestamp(max(self._since - 1e-5, 0), UTC)
            return {"deliver_policy": "by_start_time", "opt_start_time": since.isoformat().replace("+00:00", "Z")}
        return {"deliver_policy": "all"}


async def place_of_newest(link: Link, stream: str, subject: str, count: int) -> int:
    """A sequence from which on there are ``count`` messages of ``subject``, or a few more, or all there are.

    JetStream has no «last n»; but making a consumer tells how many messages it would get, so a bisection finds the place.
    Raises: Away, ApiError, TimeoutError.
    """
    state = (await ask_api(link, f"STREAM.INFO.{stream}", None, API_S))["state"]
    low, high = max(int(state["first_seq"]), 1), int(state["last_seq"]) + 1
    if count == 0:
        return high
    if await _count_from(link, stream, subject, low) <= count + SLACK:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        found = await _count_from(link, stream, subject, middle)
        if count <= found <= count + SLACK:
            return middle
        low, high = (low, middle) if found < count else (middle, high)
    return low


async def _count_from(link: Link, stream: str, subject: str, sequence: int) -> int:
    name = f"ffx-count-{uuid4().hex}"
    config = {
        "name": name,
        "filter_subject": subject,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": sequence,
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": SECOND_NS,
    }
    made = await ask_api(
        link, f"CONSUMER.CREATE.{stream}.{name}.{subject}", {"stream_name": stream, "config": config}, API_S
    )
    await link.publish(f"{API}CONSUMER.DELETE.{stream}.{name}", b"")
    return int(made["num_pending"])
