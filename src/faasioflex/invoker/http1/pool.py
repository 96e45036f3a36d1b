"""Idle connections per address. Kept 4 s: far less than any runtime's keep-alive, so that none dies under a request."""

from __future__ import annotations

import asyncio

from faasioflex.invoker.http1.connection import Connection
from faasioflex.invoker.http1.dial import dial

IDLE_S = 4.0
MOST_IDLE = 64  # per address


class Pool:
    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._idle: dict[str, list[Connection]] = {}

    async def take(self, address: str, timeout_s: float) -> Connection:
        """The connection used last if it is still good, else a new one.

        Raises: Refused, Busy (of ``dial``).
        """
        idle = self._idle.get(address)
        oldest = asyncio.get_running_loop().time() - self._idle_s
        while idle:
            connection = idle.pop()
            if connection.idle_since > oldest and connection.usable:
                return connection
            connection.close()
        return await dial(address, timeout_s)

    def give_back(self, address: str, connection: Connection) -> None:
        """Keep a connection whose last answer was read to its end."""
        idle = self._idle.setdefault(address, [])
        if len(idle) >= MOST_IDLE:
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle.append(connection)

    def forget(self, address: str) -> None:
        """Close what is idle towards an instance that is gone or draining."""
        for connection in self._idle.pop(address, ()):
            connection.close()

    def sweep(self) -> None:
        """Close what was idle for too long; call it once a second."""
        oldest = asyncio.get_running_loop().time() - self._idle_s
        for address, idle in list(self._idle.items()):
            young = [connection for connection in idle if connection.idle_since > oldest]
            for connection in idle:
                if connection not in young:
                    connection.close()
            if young:
                self._idle[address] = young
            else:
                del self._idle[address]

    def close(self) -> None:
        for address in list(self._idle):
            self.forget(address)
