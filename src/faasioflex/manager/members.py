"""Which routes are in force at whom: the acknowledgements that a drain waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus
from faasioflex.model.messages import APPLIED_SUBJECT, Applied


class Members:
    """Gateways and invokers by name, with the revision of ``ffx_routes`` that each has applied.

    A member that is silent is not a member that is gone: an Envoy goes on routing while its controller is dead. So
    ``names`` is fixed by configuration and :meth:`applied` waits for all of them, however long it takes.
    """

    def __init__(self, bus: Bus, names: tuple[str, ...]) -> None:
        self._bus = bus
        self._applied = dict.fromkeys(names, 0)
        self._changed = asyncio.Event()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(APPLIED_SUBJECT, self._on_applied)

    async def stop(self) -> None:
        if self._unsubscribe:
            await self._unsubscribe()

    def have_applied(self, revision: int) -> bool:
        return all(applied >= revision for applied in self._applied.values())

    async def applied(self, revision: int) -> None:
        """Return once every member has applied ``revision`` or a newer one."""
        while not self.have_applied(revision):
            self._changed.clear()
            await self._changed.wait()

    async def _on_applied(self, _subject: str, data: bytes) -> None:
        message = decode(Applied, data)
        if message.member in self._applied:
            self._applied[message.member] = message.revision
            self._changed.set()
