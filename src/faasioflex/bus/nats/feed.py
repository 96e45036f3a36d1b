"""An ordered, gapless run of a stream's messages over one link: what watches, lists, logs and objects are read with.

A short-lived push consumer in the server's memory, without acknowledgements, with flow control and heartbeats. Any
irregularity (a gap, silence, the end of the link) breaks the feed; who reads opens the next one where it wants to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nats.aio.msg import Msg

from faasioflex.bus.nats.jetstream import API, Away, ask_api
from faasioflex.bus.nats.link import Link, LinkLost
from faasioflex.bus.nats.messages import delivery_of

HEARTBEAT_S = 2.0
SILENCE_S = 5.0
FORGET_S = 5.0  # the server drops a consumer that nobody listens to after this
SECOND_NS = 1_000_000_000
API_S = 5.0


@dataclass(slots=True)
class Record:
    subject: str
    data: bytes
    headers: dict[str, str] | None
    sequence: int
    time_ns: int
    pending: int  # messages that were still to come when this one was sent


@dataclass(frozen=True)
class _FlowControl:
    reply: str


class Feed:
    """``pending`` is how many messages there were at the opening. Made by :func:`open_feed`."""

    def __init__(self, link: Link, stream: str, consumer: str) -> None:
        self.pending = 0
        self._link, self._stream, self._consumer = link, stream, consumer
        self._queue: asyncio.Queue[Record | _FlowControl | Away | None] = asyncio.Queue()
        self._delivered = 0
        self._owed = ""  # the last flow control reply that was asked for
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._watchdog = self._loop.call_later(SILENCE_S, self._listen_for_silence)

    async def next(self) -> Record | None:
        """The next message, or None now and then while there is none. Raises Away where the feed is broken."""
        while True:
            item = await self._queue.get()
            if isinstance(item, _FlowControl):
                # Answered only here, so that no more than the server's window ever waits in this process.
                if item.reply == self._owed:
                    self._owed = ""
                await self._answer(item.reply)
                continue
            if isinstance(item, Away):
                self._queue.put_nowait(item)
                raise item
            return item

    async def drained(self) -> bool:
        """Whether nothing is left to be delivered or on its way. Raises Away, ApiError, TimeoutError."""
        info = await ask_api(self._link, f"CONSUMER.INFO.{self._stream}.{self._consumer}", None, API_S)
        return bool(info["num_pending"] == 0 and info["delivered"]["consumer_seq"] == self._delivered)

    async def on_message(self, message: Msg) -> None:
        self._heard_at = self._loop.time()
        headers = message.headers
        if headers is not None and "Status" in headers:
            await self._on_status(message, headers)
            return
        sequence, delivered, time_ns, pending = delivery_of(message.reply)
        if delivered != self._delivered + 1:
            self.break_off(f"message {self._delivered + 1} of the feed did not arrive")
            return
        self._delivered = delivered
        self._queue.put_nowait(Record(message.subject, message.data, headers, sequence, time_ns, pending))

    async def _on_status(self, message: Msg, headers: dict[str, str]) -> None:
        if headers["Status"] != "100":
            self.break_off(f"the server ended the feed: {headers.get('Description', headers['Status'])}")
        elif message.reply or "Nats-Consumer-Stalled" in headers:
            reply = (
                message.reply or headers["Nats-Consumer-Stalled"]
            )  # a stalled consumer says the same again and again
            if reply != self._owed:
                self._owed = reply
                self._queue.put_nowait(_FlowControl(reply))
        elif int(headers.get("Nats-Last-Consumer", self._delivered)) != self._delivered:
            self.break_off("messages of the feed did not arrive")
        elif self._queue.empty():
            self._queue.put_nowait(None)

    async def _answer(self, reply: str) -> None:
        try:
            await self._link.publish(reply, b"")
        except LinkLost as error:
            raise Away(str(error)) from error

    def break_off(self, reason: str) -> None:
        self._queue.put_nowait(Away(reason))

    def link_ended(self) -> None:
        self.break_off("the connection to NATS ended")

    def _listen_for_silence(self) -> None:
        left = self._heard_at + SILENCE_S - self._loop.time()
        if left <= 0:
            self.break_off("nothing is heard of the feed")
        else:
            self._watchdog = self._loop.call_later(left, self._listen_for_silence)

    def close(self) -> None:
        self._watchdog.cancel()


async def to_the_end(feed: Feed) -> AsyncIterator[Record]:
    """The messages that were there at the opening of ``feed`` (and what came meanwhile). Raises as :meth:`Feed.next`."""
    left = feed.pending
    while left:
        record = await feed.next()
        if record is not None:
            left = record.pending
            yield record
        elif await feed.drained():  # the rest of what was pending has been removed since
            return


@asynccontextmanager
async def open_feed(link: Link, stream: str, subject: str, start: dict[str, Any]) -> AsyncIterator[Feed]:
    """Feed of ``subject`` (wildcards allowed). ``start``: the consumer's deliver_policy with its option.

    Raises: Away, ApiError (no such stream), TimeoutError.
    """
    consumer = f"ffx-{uuid4().hex}"
    feed = Feed(link, stream, consumer)
    take_back = link.on_end(feed.link_ended)
    inbox = link.new_inbox()
    config = {
        "name": consumer,
        "deliver_subject": inbox,
        "filter_subject": subject,
        "ack_policy": "none",
        "max_deliver": 1,
        "replay_policy": "instant",
        "flow_control": True,
        "idle_heartbeat": int(HEARTBEAT_S * SECOND_NS),
        "inactive_threshold": int(FORGET_S * SECOND_NS),
        "mem_storage": True,
        "num_replicas": 1,
        **start,
    }
    try:
        subscription = await link.subscribe(inbox, feed.on_message)
    except LinkLost as error:
        take_back()
        feed.close()
        raise Away(str(error)) from error
    try:
        made = await ask_api(
            link,
            f"CONSUMER.CREATE.{stream}.{consumer}.{subject}",
            {"stream_name": stream, "config": config},
            API_S,
        )
        # What was delivered before this answer was written is not pending in it any more.
        feed.pending = int(made["num_pending"]) + int(made["delivered"]["consumer_seq"])
        yield feed
    finally:
        take_back()
        feed.close()
        await link.unsubscribe(subscription)
        if link.alive:
            with contextlib.suppress(Exception):
                await link.publish(f"{API}CONSUMER.DELETE.{stream}.{consumer}", b"")
