"""One connection to an instance: bytes in with a bound, bytes out with a brake, and what is known of its end."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from faasioflex.invoker.http1.head import BadMessage

HIGH_WATER_BYTES = 256 * 1024  # unread: stop reading from the instance
LAST_BYTES_S = 5.0
LONGEST_HEAD = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"


class ConnectionEnded(Exception):
    """The instance closed or reset the connection before it had to."""


class NotSent(ConnectionEnded):
    """It ended, and certainly no byte of the request has reached the instance: the call may be repeated, whatever it is."""


class Connection(asyncio.Protocol):
    """Created connected. One task reads, one may write."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._reading_paused = False
        self._writing_paused = False
        self._ended = False
        self._cause: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.idle_since = 0.0  # of the loop's clock
        self.on_drained: Callable[[], None] | None = None  # after ``forward`` has said that it is enough

    # what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HIGH_WATER_BYTES and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._cause = exc
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        _wake(self._writer)
        if self.on_drained is not None:
            self.on_drained()

    # what the invoker asks

    @property
    def usable(self) -> bool:
        """Whether an idle connection may carry another request: also sees an end that the loop has not told of yet."""
        if self._ended or self._buffer or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def begin(self, data: bytes) -> None:
        """Write a request's first bytes.

        Raises: NotSent where the kernel took none of them.
        """
        if self._ended or self._transport.is_closing():
            raise NotSent("the connection was closed")
        self._transport.write(data)
        if self._transport.is_closing():  # the transport tries at once: an instance that is gone shows here
            raise NotSent("the connection was closed")

    async def write(self, data: bytes) -> None:
        """Raises: ConnectionEnded."""
        if self._ended or self._transport.is_closing():
            raise ConnectionEnded("closed while the request was sent")
        self._transport.write(data)
        while self._writing_paused and not self._ended:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def forward(self, data: bytes) -> bool:
        """Write at once. Whether it is enough for now: ``on_drained`` tells when it goes on."""
        if not self._ended and not self._transport.is_closing():
            self._transport.write(data)
        return self._writing_paused

    @property
    def has_data(self) -> bool:
        return bool(self._buffer)

    async def read(self) -> bytes:
        """What has come; waits for something; b"" at the end of the stream.

        Raises: ConnectionEnded at a reset.
        """
        while not self._buffer:
            if self._ended:
                if self._cause is not None:
                    raise ConnectionEnded("reset") from self._cause
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._reading_paused and not self._ended:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    async def read_head(self) -> bytes:
        """A message's head with its empty line; what follows stays unread.

        Raises: ConnectionEnded before its end, BadMessage where it is too long.
        """
        searched = 0
        while (end := self._buffer.find(END_OF_HEAD, max(0, searched - 3))) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_HEAD:
                raise BadMessage("the head is longer than 64 KiB")
            if self._ended:
                raise ConnectionEnded("closed before an answer") from self._cause
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        end += len(END_OF_HEAD)
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        return head

    def unread(self, data: bytes) -> None:
        """Put back what lies behind a message's end."""
        self._buffer[:0] = data

    def close(self) -> None:
        """At once: what was not sent is dropped."""
        self._transport.abort()

    def close_gently(self) -> None:
        """What was written is still sent, if the instance takes it soon."""
        self._transport.close()
        asyncio.get_running_loop().call_later(LAST_BYTES_S, self._transport.abort)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
