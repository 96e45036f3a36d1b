"""The launcher's side of the egress relay: tells it of every sandbox, again when it comes back, and hears of denials."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from faasioflex.runtime.egress.messages import DESCRIPTORS_AT_ONCE, LONGEST_BYTES, Denial, Guest, pack
from faasioflex.runtime.launcher.journal import log

_RETRY_S = 0.05
_AWAY_LONG_S = 5.0


class Link:
    """``add`` and ``remove`` never wait and never fail: what listens in a sandbox keeps connections until the relay is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guests: dict[str, tuple[Guest, list[int]]] = {}
        self._listeners: dict[str, Callable[[Denial], None]] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()  # ids of guests that came or went since the relay was told
        self._connection: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for identifier in tuple(self._guests):
            self._forget(identifier)

    def add(self, guest: Guest, descriptors: list[int], on_denial: Callable[[Denial], None]) -> None:
        """The descriptors are the link's from now on, until ``remove``."""
        self._guests[guest.id] = guest, descriptors
        self._listeners[guest.id] = on_denial
        self._queue.put_nowait(guest.id)

    def remove(self, identifier: str) -> None:
        """Its connections end too. An unknown id is no error."""
        if identifier in self._guests:
            self._forget(identifier)
            self._queue.put_nowait(identifier)

    def _forget(self, identifier: str) -> None:
        _, descriptors = self._guests.pop(identifier)
        self._listeners.pop(identifier, None)
        for descriptor in descriptors:
            os.close(descriptor)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        away_since: float | None = None
        said = False
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.setblocking(False)
            with connection:
                try:
                    connection.connect(str(self._path))
                    away_since, said = None, False
                    self._queue = asyncio.Queue()
                    for identifier in self._guests:
                        self._queue.put_nowait(identifier)
                    loop.add_reader(connection, self._hear, connection)
                    while True:
                        await self._tell(connection, await self._queue.get())
                except OSError as error:
                    away_since = loop.time() if away_since is None else away_since
                    if not said and loop.time() - away_since > _AWAY_LONG_S:
                        log.warning("the egress relay is away", extra={"error": str(error)})
                        said = True
                finally:
                    loop.remove_reader(connection)
            await asyncio.sleep(_RETRY_S)

    async def _tell(self, connection: socket.socket, identifier: str) -> None:
        found = self._guests.get(identifier)
        if found is None:
            await self._send(connection, pack({"gone": identifier}), ())
            return
        guest, descriptors = found
        copies = [os.dup(one) for one in descriptors]  # it may go while the message waits for room
        try:
            for start in range(0, len(copies), DESCRIPTORS_AT_ONCE):
                await self._send(connection, pack(guest), copies[start : start + DESCRIPTORS_AT_ONCE])
        finally:
            for one in copies:
                os.close(one)

    async def _send(self, connection: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
        while True:
            try:
                socket.send_fds(connection, [message], list(descriptors))
            except BlockingIOError:
                await _writable(connection)
            except OSError as error:
                if error.errno != errno.ETOOMANYREFS:
                    raise
                await asyncio.sleep(_RETRY_S)  # the relay has not taken in yet what was sent before
            else:
                return

    def _hear(self, connection: socket.socket) -> None:
        try:
            message = connection.recv(LONGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            # the end of the relay; sending would find out, but there may be nothing to send for long
            asyncio.get_running_loop().remove_reader(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            self._queue.put_nowait("")
            return
        denial = Denial(**json.loads(message))
        listener = self._listeners.get(denial.id)
        if listener is not None:
            listener(denial)


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(connection)
