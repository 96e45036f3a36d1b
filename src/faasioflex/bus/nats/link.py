"""One TCP connection to a NATS server, from its beginning to its end.

nats-py is used without its own reconnecting: a connection that is lost here stays lost, and ``connection`` opens the next one.
So no write that a caller has given up is sent later out of a buffer, no request waits for an answer that cannot come any
more, and subscriptions are in place before anybody can ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from faasioflex.bus.nats.trust import pinned

T = TypeVar("T")
OnMessage = Callable[[Msg], Awaitable[None]]
log = structlog.get_logger(__name__)

CONNECT_S = 2.0
PING_S = 5  # two unanswered ones end the connection: a server that hangs is noticed within 15 s
OUTBOUND_BYTES = 4 * 1024 * 1024  # above it a publisher waits for the socket
INBOUND_MESSAGES = 65_536  # of one subscription; what comes beyond is dropped and reported by nats-py
INBOUND_BYTES = 96 * 1024 * 1024


class LinkLost(Exception):
    """The connection ended before the answer came; whether the server has acted is not known."""


class Link:
    """Made by :func:`open_link`. ``ended`` is set once, when the connection is lost or closed."""

    def __init__(self) -> None:
        self.client: Any = Client()  # Any: some of what is needed at the end of a connection has no public name
        self.opened = False
        self.ended = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self._end_callbacks: set[Callable[[], None]] = set()
        self._inbox = ""
        self._asked: dict[str, asyncio.Future[Msg]] = {}
        self._count = itertools.count()

    @property
    def alive(self) -> bool:
        return not self.ended.is_set() and bool(self.client.is_connected)

    def on_end(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once when the link ends. Returns what takes it back."""
        self._end_callbacks.add(callback)
        return lambda: self._end_callbacks.discard(callback)

    def end(self) -> None:
        """Mark as lost: everybody who waits for an answer hears of it now."""
        if self.ended.is_set():
            return
        self.ended.set()
        waiters: list[asyncio.Future[Any]] = [*self._waiting, *self._asked.values()]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(LinkLost("the connection to NATS ended"))
        for callback in list(self._end_callbacks):
            callback()

    async def request(self, subject: str, data: bytes, timeout_s: float, headers: dict[str, str] | None = None) -> Msg:
        """Raises LinkLost, TimeoutError, nats.errors.NoRespondersError, nats.errors.MaxPayloadError."""
        loop = asyncio.get_running_loop()
        token = str(next(self._count))
        answer: asyncio.Future[Msg] = loop.create_future()
        self._asked[token] = answer
        timer = loop.call_later(timeout_s, _time_out, answer)
        try:
            await self.publish(subject, data, f"{self._inbox}.{token}", headers)
            message = await answer
        finally:
            timer.cancel()
            del self._asked[token]
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # where sending failed, nobody else looks at it
        if message.headers is not None and message.headers.get("Status") == "503":
            raise nats.errors.NoRespondersError
        return message

    async def listen(self) -> None:
        """Subscribe to the answers of requests: one subscription for all, whose last token says whose answer it is."""
        self._inbox = self.new_inbox()
        await self.subscribe(f"{self._inbox}.*", self._on_answer)

    async def _on_answer(self, message: Msg) -> None:
        answer = self._asked.get(message.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def publish(self, subject: str, data: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None:
        """Hand to the socket's buffer. Raises LinkLost, nats.errors.MaxPayloadError."""
        if not self.alive:
            raise LinkLost("the connection to NATS has ended")
        sending = self.client.publish(subject, data, reply=reply, headers=headers)
        if self.client._pending_data_size + len(data) < OUTBOUND_BYTES // 2:
            await sending  # there is room in the buffer: it does not wait
        else:
            await self._guard(sending)

    async def subscribe(self, subject: str, on_message: OnMessage, queue: str = "") -> Subscription:
        made: Subscription = await self._guard(
            self.client.subscribe(
                subject,
                queue=queue,
                cb=on_message,
                pending_msgs_limit=INBOUND_MESSAGES,
                pending_bytes_limit=INBOUND_BYTES,
            )
        )
        return made

    async def unsubscribe(self, subscription: Subscription) -> None:
        """No error where the link is gone already."""
        if self.alive:
            with contextlib.suppress(Exception):
                await self._guard(subscription.unsubscribe())

    async def flush(self, timeout_s: float) -> None:
        """Return when the server has seen everything sent before. Raises LinkLost, TimeoutError."""
        await self._guard(self.client.flush(timeout=timeout_s))

    def new_inbox(self) -> str:
        return str(self.client.new_inbox())

    async def dispose(self) -> None:
        """Close, and end every task that nats-py leaves behind when it could not say goodbye."""
        self.end()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.client.close(), 1.0)
        for subscription in list(self.client._subs.values()):
            subscription._stop_processing()
        for task in (self.client._reading_task, self.client._flusher_task, self.client._ping_interval_task):
            if task is not None:
                task.cancel()
        if self.client._transport is not None:
            with contextlib.suppress(Exception):
                self.client._transport.close()

    async def _guard(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, or LinkLost as soon as the link ends (nats-py would wait for the whole timeout)."""
        if not self.alive:
            work.close()
            raise LinkLost("the connection to NATS has ended")
        task = asyncio.ensure_future(work)
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        task.add_done_callback(lambda _: None if waiting.done() else waiting.set_result(None))
        try:
            await waiting
        except BaseException:
            task.cancel()
            task.add_done_callback(_retrieve)
            raise
        finally:
            self._waiting.discard(waiting)
        try:
            return task.result()
        except Exception:
            if not self.alive:
                raise LinkLost("the connection to NATS ended") from None
            raise


def _time_out(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError("no answer in time"))


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def open_link(
    url: str, user: str, password: str, *, name: str, inbox_prefix: str, certificate: Path | None = None
) -> Link:
    """Connect once. Raises OSError, TimeoutError, nats.errors.Error (wrong credentials among them)."""
    link = Link()
    reasons: list[Exception] = []

    async def on_error(error: Exception) -> None:
        if not link.opened:
            reasons.append(error)
        elif link.alive and not isinstance(error, nats.errors.StaleConnectionError):
            log.warning("nats client reports", error=repr(error), client=name)

    async def on_closed() -> None:
        link.end()

    try:
        await asyncio.wait_for(
            link.client.connect(
                servers=[url],
                user=user,
                password=password,
                name=name,
                inbox_prefix=inbox_prefix,
                tls=pinned(certificate) if certificate is not None else None,
                error_cb=on_error,
                disconnected_cb=on_closed,
                closed_cb=on_closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0.02,
                connect_timeout=CONNECT_S,
                ping_interval=PING_S,
                max_outstanding_pings=2,
                pending_size=OUTBOUND_BYTES,
            ),
            2 * CONNECT_S,
        )
    except BaseException as error:
        await link.dispose()
        if isinstance(error, nats.errors.NoServersError) and reasons:
            raise reasons[-1] from error  # nats-py's own says nothing
        raise
    link.opened = True
    await link.listen()
    # Where unsent data is left, nats-py's own closing fails on the dead socket and calls nobody back.
    link.client._reading_task.add_done_callback(lambda _: link.end())
    return link
