"""The addresses of names, looked up for one sandbox: so many at once, however long a name server lets it wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from faasioflex.model.egress import Address

Resolve = Callable[[str, int], Awaitable[list[Address]]]
MOST_AT_ONCE = 4


class Lookups:
    """A :data:`Resolve` in front of another.

    Who waits may give up; the thread that asks the name server cannot, and so keeps its place among the sandbox's few.
    """

    def __init__(self, resolve: Resolve, at_once: int = MOST_AT_ONCE) -> None:
        self._resolve = resolve
        self._free = asyncio.Semaphore(at_once)
        self._under_way: set[asyncio.Task[list[Address]]] = set()

    async def __call__(self, host: str, port: int) -> list[Address]:
        """Raises: what ``resolve`` raises."""
        await self._free.acquire()
        task = asyncio.create_task(self._look_up(host, port))
        self._under_way.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    async def _look_up(self, host: str, port: int) -> list[Address]:
        return await self._resolve(host, port)

    def _over(self, task: asyncio.Task[list[Address]]) -> None:
        self._under_way.discard(task)
        self._free.release()
        if not task.cancelled():
            task.exception()  # looked at, where nobody waits for it any more
