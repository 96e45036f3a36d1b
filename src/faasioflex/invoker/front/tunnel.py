"""WebSockets: bytes both ways, whatever the frames hold; closed with 1001 when the invoker stops or nothing was said for too long."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from faasioflex.invoker.dispatcher import Answer
from faasioflex.invoker.front.frames import CLOSE_TO_CLIENT, CLOSE_TO_SERVER, FrameTracker
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.http1.connection import Connection, ConnectionEnded
from faasioflex.invoker.http1.head import Headers

LAST_FRAME_S = 1.0  # to come to the end of a frame before we close
GOODBYE_S = 1.0  # for the client's own close frame after ours


class _FromClient:
    """Stands where aiohttp's WebSocket reader would: hands what the client sends to the instance, at its pace."""

    def __init__(self, request: web.BaseRequest, connection: Connection) -> None:
        self.frames = FrameTracker()
        self.heard_at = 0.0
        self.ended = asyncio.Event()
        self._protocol = request.protocol
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._paused = False
        connection.on_drained = self._resume

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.heard_at = self._loop.time()
        self.frames.feed(data)
        if self._connection.forward(data) and not self._paused:
            self._paused = True
            self._protocol.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self.ended.set()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._protocol.resume_reading()


class Tunnels:
    """All open WebSockets."""

    def __init__(self) -> None:
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Close all, and those that come, with 1001."""
        self._leaving.set()

    async def run(self, request: web.BaseRequest, reply: Reply, answer: Answer, headers: Headers) -> None:
        """Returns when it is closed. ``headers``: of the 101. The client's going cancels this."""
        connection = answer.exchange.connection
        await reply.switch(headers, b"websocket")
        inward = _FromClient(request, connection)
        request.protocol.set_parser(cast(WebSocketReader, inward))
        outward = FrameTracker()
        if await self._pass(connection, reply, inward, outward, answer.exchange.silence_s):
            return
        if not outward.at_boundary:
            reply.cut()
            return
        if inward.frames.at_boundary:
            connection.forward(CLOSE_TO_SERVER)
        await reply.write(CLOSE_TO_CLIENT)
        try:
            async with asyncio.timeout(GOODBYE_S):
                await inward.ended.wait()
        except TimeoutError:
            return

    async def _pass(
        self, connection: Connection, reply: Reply, inward: _FromClient, outward: FrameTracker, idle_s: float
    ) -> bool:
        """Whether the instance ended it; False: we have to, after a whole frame where possible."""
        loop = asyncio.get_running_loop()
        inward.heard_at = loop.time()
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            while True:
                reading = asyncio.create_task(connection.read())
                try:
                    await asyncio.wait({reading, leaving}, timeout=idle_s, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not reading.done():
                        reading.cancel()
                if not reading.done():
                    if not leaving.done() and loop.time() - inward.heard_at < idle_s:
                        continue
                    return await self._to_end_of_frame(connection, reply, outward)
                data = reading.result()
                if not data:
                    return True
                outward.feed(data)
                await reply.write(data)
                if leaving.done():
                    return await self._to_end_of_frame(connection, reply, outward)
        except ConnectionEnded:
            reply.cut()
            return True
        finally:
            leaving.cancel()

    async def _to_end_of_frame(self, connection: Connection, reply: Reply, outward: FrameTracker) -> bool:
        """Whether the instance ended it meanwhile."""
        try:
            async with asyncio.timeout(LAST_FRAME_S):
                while not outward.at_boundary:
                    data = await connection.read()
                    if not data:
                        return True
                    whole = outward.feed(data)
                    if whole:
                        await reply.write(data[:whole])
                        outward.rewind()
                        return False
                    await reply.write(data)
        except TimeoutError:
            return False
        return False
