"""Hears that the answers of a function are to be forgotten: every invoker does, each answers how many it had."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.cache.results import Results
from faasioflex.model.messages import PURGE_SUBJECT, Purge, Purged
from faasioflex.model.names import FunctionName


class Purges:
    def __init__(self, bus: Bus, results: Results) -> None:
        self._bus = bus
        self._results = results
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(PURGE_SUBJECT, self._purge)

    async def stop(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()

    async def _purge(self, _: str, data: bytes) -> bytes:
        asked = decode(Purge, data)
        return encode(Purged(self._results.purge(FunctionName(asked.namespace, asked.name))))
