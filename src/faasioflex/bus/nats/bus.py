"""``NatsBus``: the port over one connection that comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import nats.errors
import structlog
from nats.aio.msg import Msg

from faasioflex.bus.buckets import BUCKETS
from faasioflex.bus.nats.asker import asker_of
from faasioflex.bus.nats.bucket import MESSAGE_ID, NatsBucket
from faasioflex.bus.nats.changes import Changes
from faasioflex.bus.nats.connection import Connection
from faasioflex.bus.nats.heads import Heads
from faasioflex.bus.nats.jetstream import Full, JetStream
from faasioflex.bus.nats.link import LinkLost
from faasioflex.bus.nats.objects import NatsObjects
from faasioflex.bus.nats.one_by_one import last_sequence, read_message, remove_messages
from faasioflex.bus.nats.streams import Reader
from faasioflex.bus.nats.watch import RESYNC_S
from faasioflex.bus.port import Asked, Bucket, CaughtUp, Handler, MessageHead, Serve, StreamMessage, Write
from faasioflex.model.errors import DeadlineExceeded, PayloadTooLarge, TooManyCalls, Unavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)
TIMEOUT_S = 5.0  # how long an operation waits for a server that is away
HANDLERS = 1024  # of one subscription at once; messages beyond wait in nats-py's bounded buffer


class NatsBus:
    """Made by :func:`faasioflex.bus.nats.connect`. ``problem`` is None while connected, else why not."""

    def __init__(self, connection: Connection, *, resync_s: float = RESYNC_S) -> None:
        self.jetstream = JetStream(connection)
        self._connection = connection
        self._resync_s = resync_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._buckets: dict[tuple[str, type], NatsBucket[Any]] = {}

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def problem(self) -> str | None:
        return self._connection.problem

    async def publish(self, subject: str, data: bytes) -> None:
        link = await self._connection.link(self._connection.deadline())
        try:
            await link.publish(subject, data)
        except LinkLost:
            raise Unavailable("NATS went away") from None
        except nats.errors.MaxPayloadError as error:
            raise PayloadTooLarge(f"{len(data)} bytes are more than one message may hold") from error

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        link = await self._connection.link(min(deadline, self._connection.deadline()))
        try:
            return bytes((await link.request(subject, data, max(deadline - clock(), 0.001))).data)
        except LinkLost:
            raise Unavailable(f"NATS went away before the answer on {subject}") from None
        except nats.errors.NoRespondersError:
            raise Unavailable(f"Nobody answers on {subject}") from None
        except TimeoutError:
            raise DeadlineExceeded(f"No answer on {subject} within {timeout_s:g} s") from None
        except nats.errors.MaxPayloadError as error:
            raise PayloadTooLarge(f"{len(data)} bytes are more than one message may hold") from error

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        return await self.serve(subject, lambda asked: handler(asked.subject, asked.data), queue=queue)

    async def serve(self, subject: str, handler: Serve, *, queue: str = "") -> Callable[[], Awaitable[None]]:
        free = asyncio.Semaphore(HANDLERS)

        async def on_message(message: Msg) -> None:
            await free.acquire()
            task = asyncio.create_task(self._handle(handler, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: free.release())

        return await self._connection.subscribe(subject, queue, on_message)

    async def append(
        self, subject: str, data: bytes, *, message_id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        held = dict(headers or {})
        if message_id is not None:
            held[MESSAGE_ID] = message_id
        try:
            return (await self.jetstream.store(subject, data, held or None)).sequence
        except Full as error:
            raise TooManyCalls(error.message) from error

    @asynccontextmanager
    async def read(
        self, stream: str, subject: str, *, since: float | None = None, last: int | None = None, follow: bool = False
    ) -> AsyncIterator[AsyncIterator[StreamMessage]]:
        reader = Reader(self.jetstream, stream, subject, since=since, last=last, follow=follow)
        async with aclosing(reader.messages()) as messages:
            yield messages

    @asynccontextmanager
    async def heads(
        self, stream: str, subject: str, *, after: int = 0
    ) -> AsyncIterator[AsyncIterator[MessageHead | CaughtUp]]:
        async with aclosing(Heads(self.jetstream, stream, subject, after).items()) as items:
            yield items

    async def last_sequence(self, stream: str) -> int:
        return await last_sequence(self.jetstream, stream)

    async def message(self, stream: str, sequence: int) -> StreamMessage | None:
        return await read_message(self.jetstream, stream, sequence)

    async def remove(self, stream: str, sequences: Sequence[int]) -> None:
        await remove_messages(self.jetstream, stream, sequences)

    @asynccontextmanager
    async def changes(self, bucket: str, durable: str) -> AsyncIterator[AsyncIterator[Write]]:
        async with aclosing(Changes(self.jetstream, bucket, durable).writes()) as writes:
            yield writes

    def bucket(self, name: str, value_type: type[T]) -> Bucket[T]:
        made: NatsBucket[T] | None = self._buckets.get((name, value_type))
        if made is None:  # always the same one, so that mirrors of it share their copy
            history = next((plan.history for plan in BUCKETS if plan.name == name), 1)
            made = NatsBucket(self.jetstream, name, value_type, history=history, resync_s=self._resync_s)
            self._buckets[(name, value_type)] = made
        return made

    def objects(self, name: str) -> NatsObjects:
        return NatsObjects(self.jetstream, name)

    async def close(self) -> None:
        await self._connection.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, handler: Serve, message: Msg) -> None:
        try:
            reply = await handler(
                Asked(message.subject, message.data, asker_of(message.headers), message.headers or {})
            )
        except Exception:
            log.exception("a handler of a bus message failed", subject=message.subject)
            return
        if reply is None or not message.reply:
            return
        try:
            # On the link of now, which may be a later one than the request came by: the asker may be connected all the time.
            link = await self._connection.link(self._connection.deadline())
            await link.publish(message.reply, reply)
        except (LinkLost, Unavailable, nats.errors.Error) as error:
            log.warning("a reply was not sent", subject=message.subject, error=str(error))
