"""One sandbox at the relay: what listens in its network, and the connections that come out of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from faasioflex.gateway.egress import proxy
from faasioflex.gateway.egress.budget import Budget
from faasioflex.gateway.egress.denials import Denials
from faasioflex.gateway.egress.dial import Dialer, Unreachable
from faasioflex.gateway.egress.names import LONGEST_QUESTION_BYTES, Names
from faasioflex.gateway.egress.pipe import PIECE_BYTES, Stream, join
from faasioflex.gateway.egress.policy import Denied, admit
from faasioflex.model.egress import shown
from faasioflex.model.errors import NotAllowed, Unavailable
from faasioflex.runtime.egress.messages import Denial, Guest
from faasioflex.runtime.egress.plan import HOME, PLATFORM_PORT, PROXY_PORT
from faasioflex.runtime.launcher.journal import log

MOST_CONNECTIONS = 256
CONNECTIONS_PER_S, CONNECTIONS_AT_ONCE = 250, 500
QUESTIONS_PER_S, QUESTIONS_AT_ONCE = 200, 400
HEAD_LINES_PER_S, HEAD_LINES_AT_ONCE = 5000, 10_000  # which ordinary clients stay below at CONNECTIONS_PER_S
MOST_DIALLING = 16
GATEWAY_WITHIN_S = 3.0
_ACCEPTS_AT_ONCE = 32
_POLL_S = 0.05
_READS_REFUSAL_S, _UNREAD_PIECES = 1.0, 8
_PAUSE_S = (
    0.05  # of a socket whose sandbox asks too much; what comes meanwhile waits, or is dropped if it is a question
)


class ServedGuest:
    """``platform``: the unix socket behind FFX_URL. Raises (when made): ValueError for an egress list that cannot be read."""

    def __init__(self, guest: Guest, dialer: Dialer, platform: Path, tell: Callable[[Denial], None]) -> None:
        self.guest = guest
        self.plan = guest.plan
        self._dialer = dialer
        self._platform = platform
        self._denials = Denials(guest.id, tell)
        self._names = Names(self.plan, self._deny_name)
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialling = asyncio.Semaphore(MOST_DIALLING)
        self._connections = Budget(CONNECTIONS_AT_ONCE, CONNECTIONS_PER_S)
        self._questions = Budget(QUESTIONS_AT_ONCE, QUESTIONS_PER_S)
        self._head_lines = Budget(HEAD_LINES_AT_ONCE, HEAD_LINES_PER_S)
        self._reading = asyncio.Lock()

    def listen(self, descriptors: list[int]) -> None:
        """Take over more of its listeners; in pieces, because one message holds only so many descriptors."""
        for descriptor in descriptors:
            made = socket.socket(fileno=descriptor)
            made.setblocking(False)
            self._sockets.append(made)
            self._watch(made)

    def _watch(self, made: socket.socket) -> None:
        if made in self._sockets:
            take = self._answer_name if made.type == socket.SOCK_DGRAM else self._accept
            asyncio.get_running_loop().add_reader(made, take, made)

    def _pause(self, made: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(made)
        loop.call_later(_PAUSE_S, self._watch, made)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for made in self._sockets:
            loop.remove_reader(made)
            made.close()
        self._sockets.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _deny_name(self, name: str) -> None:
        if self.guest.fetch:
            self._denials.deny(name, "it is not one of this machine's package registries")
        else:
            self._denials.deny(name, f"it is not in network.egress of this function: add {name!r} there to allow it")

    def _answer_name(self, made: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                question, asker = made.recvfrom(LONGEST_QUESTION_BYTES + 1)
                answer = self._names.answer(question)
                if answer is not None:
                    made.sendto(answer, asker)
            except OSError:
                return
            if not self._questions.take():
                self._pause(made)
                return

    def _accept(self, made: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, _ = made.accept()
            except BlockingIOError:
                return
            except OSError as error:  # too many open files, say
                log.warning("a connection cannot be taken", extra={"error": str(error)})
                self._pause(made)
                return
            self._take(connection)
            if not self._connections.take():
                self._pause(made)
                return

    def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if len(self._tasks) < MOST_CONNECTIONS:
            self._keep(self._serve(connection))
        else:
            self._denials.deny("the network", f"it has {MOST_CONNECTIONS} connections open, and no more are made")
            connection.close()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        where = connection.getsockname()
        address, port = str(where[0]), int(where[1])
        inside = Stream(*await asyncio.open_connection(sock=connection, limit=PIECE_BYTES))
        try:
            if address == HOME and port == PLATFORM_PORT and self.plan.platform:
                await self._to_platform(inside)
            elif address == HOME and port == PROXY_PORT and self.plan.proxied:
                await self._as_proxy(inside)
            else:
                await self._as_host(inside, address, port)
        except OSError:
            pass  # the sandbox's side ended
        finally:
            inside.close()

    async def _to_platform(self, inside: Stream) -> None:
        until = asyncio.get_running_loop().time() + GATEWAY_WITHIN_S
        while True:
            try:
                outside = Stream(*await asyncio.open_unix_connection(self._platform, limit=PIECE_BYTES))
            except OSError:  # the gateway is being started again
                if asyncio.get_running_loop().time() > until:
                    inside.reset()
                    return
                await asyncio.sleep(_POLL_S)
            else:
                await join(inside, outside)
                return

    async def _as_host(self, inside: Stream, address: str, port: int) -> None:
        host = self._names.behind(address) or self.plan.meant(address, port) or address
        try:
            outside = await self._dial(host, port)
        except (Denied, Unreachable):
            inside.reset()
            return
        await join(inside, outside)

    async def _as_proxy(self, inside: Stream) -> None:
        try:
            asked = await self._read_request(inside)
            outside = await self._dial(asked.host, asked.port)
        except proxy.NotHttp as error:
            await self._refuse(inside, error)
        except Denied as error:
            await self._refuse(inside, NotAllowed(f"{error.destination}: {error.why}"))
        except Unreachable as error:
            await self._refuse(inside, Unavailable(str(error)))
        else:
            if asked.tunnel:
                inside.writer.write(proxy.ESTABLISHED)
            outside.writer.write(asked.first)
            await join(inside, outside)

    async def _read_request(self, inside: Stream) -> proxy.Asked:
        """Raises: NotHttp, OSError."""
        head = await proxy.read_head(inside)
        async with self._reading:  # one waits for the budget, the others for that one
            while not self._head_lines.take(head.lines_to_read):  # noqa: ASYNC110  # time fills it, nobody tells of that
                await asyncio.sleep(_PAUSE_S)
        return proxy.parse(head)

    async def _refuse(self, inside: Stream, error: proxy.NotHttp | NotAllowed | Unavailable) -> None:
        inside.writer.write(proxy.refusal(error))
        with suppress(OSError):
            await inside.writer.drain()
            inside.writer.write_eof()
            async with asyncio.timeout(_READS_REFUSAL_S):  # closed with something unread, the answer would be lost
                for _ in range(_UNREAD_PIECES):
                    if not await inside.reader.read(PIECE_BYTES):
                        return

    async def _dial(self, host: str, port: int) -> Stream:
        """Raises: Denied, which was reported; Unreachable."""
        try:
            reach = admit(self.plan.destinations, host, port, operators=self.guest.fetch)
            async with self._dialling:
                return await self._dialer.dial(reach, self.guest.proxies)
        except Denied as error:
            self._denials.deny(error.destination, error.why)
            raise
        except Unreachable as error:
            self._denials.fail(shown(host, port), str(error))
            raise
