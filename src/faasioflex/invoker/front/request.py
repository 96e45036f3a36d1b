"""From an HTTP request at the invoker's socket to a call."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.body import Body, ClientGone
from faasioflex.invoker.call import Call
from faasioflex.invoker.headers import request_id, towards_instance
from faasioflex.invoker.http1.head import list_tokens
from faasioflex.invoker.target import Target
from faasioflex.model.errors import RequestTimeout

ADDRESS_HEADER = "x-ffx-address"  # of the client, as the gateway sees it
LOOK_EVERY_S = 0.5
LONGEST_SILENCE_S, LONGEST_READ_S = 20.0, 600.0  # of a body that is read whole; as the API has it
HANG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class RequestSource:
    """The body of an aiohttp request, as it comes. Says 100 Continue when somebody begins to read, not before."""

    def __init__(self, request: web.BaseRequest) -> None:
        self.length = request.content_length
        self._request = request
        self._says_continue = request.headers.get("Expect", "").lower() == "100-continue"

    async def read(self) -> bytes:
        if self._says_continue:
            self._says_continue = False
            if self._request.transport is not None:
                self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            return await self._request.content.readany()
        except (ClientPayloadError, web.RequestPayloadError, ConnectionError) as error:
            raise ClientGone from error


@asynccontextmanager
async def whole_body(request: web.BaseRequest, most: int, admission: Admission) -> AsyncIterator[bytes | None]:
    """The body, accounted for as long as this is open; None where it has more than ``most`` bytes.

    Raises: RequestTimeout, TooManyCalls (memory for bodies), ClientGone.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        if (request.content_length or 0) > most:
            yield None
            return
        async with aclosing(_pieces(request)) as coming:
            async for piece in coming:
                admission.keep(len(piece))
                size += len(piece)
                if size > most:
                    break
                pieces.append(piece)
        yield b"".join(pieces) if size <= most else None
    finally:
        admission.free(size)


async def _pieces(request: web.BaseRequest) -> AsyncGenerator[bytes, None]:
    if request.content.is_eof() and request.content.exception() is None:  # it came together with the head
        yield request.content.read_nowait(-1)
        return
    source = RequestSource(request)
    try:
        async with asyncio.timeout(LONGEST_READ_S):
            while piece := await asyncio.wait_for(source.read(), LONGEST_SILENCE_S):
                yield piece
    except TimeoutError:
        raise RequestTimeout("The rest of the request did not come in time") from None


def call_of(request: web.BaseRequest, target: Target, request_id: str) -> Call:
    """The call; its body is read later."""
    raw = request.raw_headers
    upgrade = None
    if b"upgrade" in list_tokens(raw, b"connection") and list_tokens(raw, b"upgrade") == [b"websocket"]:
        upgrade = b"websocket"
    source = RequestSource(request) if request.can_read_body and upgrade is None else None
    call = Call(target, request.method, towards_instance(raw), Body(source), request_id, upgrade=upgrade)
    call.address = request.headers.get(ADDRESS_HEADER, "")
    return call


@asynccontextmanager
async def cancelled_at_hang_up(request: web.BaseRequest, call: Call) -> AsyncIterator[None]:
    """Notice a client that leaves while its call is held and its body, too large to keep, is not being read.

    Then the loop does not read from the connection, so nobody is told of its end: it has to be looked at.
    """
    task = asyncio.current_task()
    if call.body.whole is not None or task is None or request.transport is None:
        yield
        return
    watch = asyncio.create_task(_look_for_hang_up(request.transport, task))
    try:
        yield
    finally:
        watch.cancel()


async def _look_for_hang_up(transport: asyncio.Transport, task: asyncio.Task[Any]) -> None:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), HANG_UP)
    while not transport.is_closing():
        if poll.poll(0):
            task.cancel()
            return
        await asyncio.sleep(LOOK_EVERY_S)


def request_id_of(request: web.BaseRequest) -> str:
    return request_id(request.headers.get("X-Request-Id"))
