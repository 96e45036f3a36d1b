"""Whose turn it is to build: few at once, and no namespace keeps the others waiting with builds that hang."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 2
MOST = 4  # with those of namespaces that have no other build under way


class Turns:
    """``at_once`` builds run, whoever's they are; up to ``most`` where each further one is its namespace's only one."""

    def __init__(self, at_once: int = AT_ONCE, most: int = MOST) -> None:
        self._at_once, self._most = at_once, most
        self._running: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []  # in the order in which they came

    @asynccontextmanager
    async def taken(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn; it is over with the block."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((namespace, turn))
        self._grant()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._running[namespace] -= 1
            else:
                self._waiting.remove((namespace, turn))
            self._grant()

    def _grant(self) -> None:
        for waiting in tuple(self._waiting):
            namespace, turn = waiting
            running = self._running.total()
            if not turn.done() and (running < self._at_once or (running < self._most and not self._running[namespace])):
                self._waiting.remove(waiting)
                self._running[namespace] += 1
                turn.set_result(None)
