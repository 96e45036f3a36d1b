"""The gateway port without a proxy: keeps the table, for tests of what stands above the port."""

from __future__ import annotations

from faasioflex.gateway.port import Capabilities, RouteTable
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import RevisionCalls, RevisionLoad


class MemoryGateway:
    """``failure``: raised by ``apply`` while it is set. ``reported``: what ``loads`` answers;
    ``answered``, ``used``: what ``calls`` and ``uses`` answer, once."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self.started = False
        self.table: RouteTable | None = None
        self.applied: list[int] = []
        self.failure: FfxError | None = None
        self.reported: tuple[RevisionLoad, ...] | None = ()
        self.answered: tuple[RevisionCalls, ...] = ()
        self.used: frozenset[str] = frozenset()

    async def start(self) -> None:
        self.started = True

    async def apply(self, table: RouteTable) -> None:
        if self.failure is not None:
            raise self.failure
        self.table = table
        self.applied.append(table.revision)

    def loads(self) -> tuple[RevisionLoad, ...] | None:
        return self.reported

    async def calls(self) -> tuple[RevisionCalls, ...] | None:
        answered, self.answered = self.answered, ()
        return answered

    def uses(self) -> frozenset[str]:
        used, self.used = self.used, frozenset()
        return used

    async def close(self) -> None:
        self.started = False
