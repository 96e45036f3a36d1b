"""The history of a bucket for a named reader that goes on where it stopped: a durable consumer, one message at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import nats.errors
from nats.aio.msg import Msg

from faasioflex.bus.nats.feed import API_S, SECOND_NS
from faasioflex.bus.nats.jetstream import API, PAUSE_S, STREAM_NOT_FOUND, ApiError, Away, JetStream, ask_api
from faasioflex.bus.nats.link import Link, LinkLost
from faasioflex.bus.nats.messages import delivery_of
from faasioflex.bus.nats.values import is_removal, key_of, stream_of, subject_of
from faasioflex.bus.port import Write
from faasioflex.model.errors import Unavailable

PULL_S = 20.0
HEARTBEAT_S = 3.0
SILENCE_S = 8.0
ACK_WAIT_S = 60.0


class Changes:
    def __init__(self, jetstream: JetStream, bucket: str, durable: str) -> None:
        self._connection = jetstream.connection
        self._bucket, self._stream, self._durable = bucket, stream_of(bucket), durable

    async def writes(self) -> AsyncGenerator[Write, None]:
        """Waits for the server as long as it takes. Raises Unavailable where there is no such bucket."""
        while True:
            link = await self._connection.link(None)
            try:
                async with aclosing(self._session(link)) as session:
                    async for write in session:
                        yield write
            except (Away, LinkLost, TimeoutError):
                await asyncio.sleep(PAUSE_S)
            except ApiError as error:
                if error.number == STREAM_NOT_FOUND:
                    raise Unavailable(f"There is no bucket {self._bucket} yet") from error
                await asyncio.sleep(1.0)

    async def _session(self, link: Link) -> AsyncGenerator[Write, None]:
        await self._begin(link)
        arrived: asyncio.Queue[Msg] = asyncio.Queue()

        async def on_message(message: Msg) -> None:
            arrived.put_nowait(message)

        inbox = link.new_inbox()
        subscription = await link.subscribe(inbox, on_message)
        end = asyncio.Event()
        take_back = link.on_end(end.set)
        try:
            while True:
                message = await self._pull(link, inbox, arrived, end)
                if message is None:
                    continue
                sequence, _, time_ns, _ = delivery_of(message.reply)
                data = None if is_removal(message.headers) else message.data
                key = key_of(self._bucket, message.subject)
                yield Write(self._bucket, key, data, sequence, time_ns / SECOND_NS)
                await link.request(message.reply, b"+ACK", API_S)
        except nats.errors.NoRespondersError as error:
            raise Away("the consumer is away") from error
        finally:
            take_back()
            await link.unsubscribe(subscription)

    async def _begin(self, link: Link) -> None:
        config = {
            "name": self._durable,
            "durable_name": self._durable,
            "filter_subject": subject_of(self._bucket, ">"),
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "max_ack_pending": 1,  # strictly one after the other, so at most one write is ever in doubt
            "ack_wait": int(ACK_WAIT_S * SECOND_NS),
        }
        await ask_api(
            link,
            f"CONSUMER.CREATE.{self._stream}.{self._durable}.{config['filter_subject']}",
            {"stream_name": self._stream, "config": config},
            API_S,
        )
        # What the reader before us had and did not acknowledge comes again now, not after ack_wait.
        with contextlib.suppress(ApiError):
            await ask_api(link, f"CONSUMER.RESET.{self._stream}.{self._durable}", None, API_S)

    async def _pull(self, link: Link, inbox: str, arrived: asyncio.Queue[Msg], end: asyncio.Event) -> Msg | None:
        """The next message, None where the server had none for a while."""
        request = {"batch": 1, "expires": int(PULL_S * SECOND_NS), "idle_heartbeat": int(HEARTBEAT_S * SECOND_NS)}
        await link.publish(
            f"{API}CONSUMER.MSG.NEXT.{self._stream}.{self._durable}", json.dumps(request).encode(), inbox
        )
        while True:
            message = await _first(arrived, end)
            status = (message.headers or {}).get("Status")
            if status is None:
                return message
            if status in ("404", "408"):
                return None
            if status != "100":
                raise Away(f"the server ended the pull: {(message.headers or {}).get('Description', status)}")


async def _first(arrived: asyncio.Queue[Msg], end: asyncio.Event) -> Msg:
    """Raises Away when the link ends, TimeoutError when nothing is heard."""
    got, ended = asyncio.ensure_future(arrived.get()), asyncio.ensure_future(end.wait())
    try:
        done, _ = await asyncio.wait({got, ended}, timeout=SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        if not got.done():
            got.cancel()
    if got in done:
        return got.result()
    if ended in done:
        raise Away("the connection to NATS ended")
    raise TimeoutError("nothing is heard of the consumer")
