"""One attempt: a call sent to one instance, and the answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from faasioflex.invoker.body import Body
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.call import Call
from faasioflex.invoker.http1.connection import Connection, ConnectionEnded
from faasioflex.invoker.http1.framing import ByLength, Framing, framing_of
from faasioflex.invoker.http1.head import BadMessage, ResponseHead, parse_response
from faasioflex.invoker.http1.pool import Pool
from faasioflex.model.errors import DeadlineExceeded
from faasioflex.model.function import Limits

OVERFLOW = b"x-ffx-overflow"
MOST_INTERIM = 16  # answers of 1xx before the final one
LONGEST_REFUSAL = 64 * 1024  # bytes that are read of the body of «full»
REFUSAL_S = 0.2  # and how long


class Overflow(Exception):
    """The instance is full and has not begun the call."""


class Exchange:
    """Made by :func:`send`. ``head`` is the final answer's; ``close`` must be called, early or late."""

    head: ResponseHead

    def __init__(self, connection: Connection, pool: Pool, address: str, silence_s: float) -> None:
        self.connection = connection
        self.framing: Framing = ByLength(0)
        self._answered = False
        self._reusable = True
        self._pool = pool
        self._address = address
        self.silence_s = silence_s
        self._sender: asyncio.Task[None] | None = None
        self._at_close: list[Callable[[], None]] = []

    def at_close(self, callback: Callable[[], None]) -> None:
        self._at_close.append(callback)

    async def chunk(self) -> bytes:
        """The next bytes of the answer's body, b"" at its end.

        Raises: ConnectionEnded, BadMessage, DeadlineExceeded (silent for too long); what the request's body ended with.
        """
        while not self.framing.done:
            data = await self._watched(self.connection.read())
            if not data:
                if self.framing.ends_with_connection:
                    break
                raise ConnectionEnded("closed within its answer")
            body, rest = self.framing.feed(data)
            if rest:
                self.connection.unread(rest)
            if body:
                return body
        return b""

    async def _rest_of_refusal(self) -> None:
        """So that the connection can be used again; a body that is long or slow is not worth it."""
        left = LONGEST_REFUSAL
        with suppress(TimeoutError):
            async with asyncio.timeout(REFUSAL_S):
                while left > 0 and (piece := await self.chunk()):
                    left -= len(piece)

    def close(self) -> None:
        """Keep the connection for the next call where both messages have ended well, else cut it. The place is free then."""
        sender, self._sender = self._sender, None
        sent = sender is None or (sender.done() and not sender.cancelled() and sender.exception() is None)
        if sender is not None and not sender.done():
            sender.cancel()
        if sent and self._answered and self._reusable and self.framing.done and self.head.keep_alive:
            self._pool.give_back(self._address, self.connection)
        elif self._answered and self.head.status == 101:
            self.connection.close_gently()
        else:
            self.connection.close()
        callbacks, self._at_close = self._at_close, []
        for callback in callbacks:
            callback()

    async def _begin(self, call: Call, revision: int, bounds: Bounds) -> None:
        head = call.head(revision)
        if call.body.whole is not None:
            self.connection.begin(head + call.body.whole)
        else:
            self.connection.begin(head)
            wanted = await self._body_is_wanted(call.method, bounds.continue_s)
            if wanted:
                self._sender = asyncio.create_task(self._send(call.body, chunked=call.body.length is None))
            if self._answered:
                self._reusable = False  # whether it still waits for a body is not known
                return
        for _ in range(MOST_INTERIM):
            answer = parse_response(await self._watched(self.connection.read_head()))
            if answer.status >= 200 or answer.status == 101:  # 100 and 103 are passed over
                self._take(answer, call.method)
                return
        raise BadMessage(f"more than {MOST_INTERIM} interim answers")

    async def _body_is_wanted(self, method: str, wait_s: float) -> bool:
        """Not after a refusal. Yes after 100; after nothing within ``wait_s``: a server that does not know Expect; and after a
        success, whose handler began to answer before it reads.
        """
        try:
            async with asyncio.timeout(wait_s):
                answer = parse_response(await self.connection.read_head())
        except TimeoutError:
            return True
        if answer.status >= 200:
            self._take(answer, method)
        return answer.status < 400

    def _take(self, head: ResponseHead, method: str) -> None:
        self.framing = framing_of(head, method)
        self.head = head
        self._answered = True
        if head.status == 101:
            self._reusable = False

    async def _send(self, body: Body, chunked: bool) -> None:
        async for piece in body.pieces():
            await self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self.silence_s):
                await self.connection.write(data)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The function took nothing of the body for {self.silence_s:g} s") from error

    async def _watched(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        """Read with the deadline, which begins when the request's body is sent; its failure is the call's."""
        sender = self._sender
        if sender is None:
            return await self._in_time(reading)
        task = asyncio.ensure_future(reading)
        try:
            if not sender.done():
                await asyncio.wait({task, sender}, return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and (error := sender.exception()) is not None and not isinstance(error, ConnectionEnded):
                raise error
            return task.result() if task.done() else await self._in_time(task)
        finally:
            task.cancel()

    async def _in_time(self, reading: Coroutine[Any, Any, bytes] | asyncio.Future[bytes]) -> bytes:
        try:
            async with asyncio.timeout(self.silence_s):
                return await reading
        except TimeoutError as error:
            what = "went on with its answer" if self._answered else "answered"
            raise DeadlineExceeded(f"The function has not {what} within its deadline") from error


async def send(call: Call, address: str, *, revision: int, limits: Limits, pool: Pool, bounds: Bounds) -> Exchange:
    """Send a call to the instance at ``address``; returns with the head of its answer.

    Raises: NotSent (nothing has reached it), Overflow (it is full), ConnectionEnded (it died), BadMessage, DeadlineExceeded; what
    the request's body ended with.
    """
    connection = await pool.take(address, bounds.connect_s)
    timeout_s = limits.timeout_s if call.timeout_s is None else min(call.timeout_s, limits.timeout_s)
    exchange = Exchange(connection, pool, address, timeout_s + bounds.deadline_slack_s)
    try:
        await exchange._begin(call, revision, bounds)
        if exchange.head.status == 429 and exchange.head.get(OVERFLOW) is not None:
            await exchange._rest_of_refusal()
            raise Overflow
    except BaseException:
        exchange.close()
        raise
    return exchange
