"""The part that lets users into NATS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from faasioflex.bus import nats
from faasioflex.bus.nats import NatsBus
from faasioflex.bus.port import Bus
from faasioflex.identity.directory import Directory
from faasioflex.identity.nats.callout import SUBJECT, Callout
from faasioflex.identity.nats.connections import Connections
from faasioflex.identity.nats.nkeys import AccountKey
from faasioflex.identity.nats.people import Known
from faasioflex.identity.port import TokenVerifier
from faasioflex.model.errors import Unavailable

log = structlog.get_logger(__name__)
CONNECT_S = 10.0


@dataclass(frozen=True)
class Access:
    """How to reach the server as the callout and as its own administrator; ``issuer_seed`` signs who is let in."""

    url: str
    callout_user: str
    callout_password: str = field(repr=False)
    system_user: str
    system_password: str = field(repr=False)
    issuer_seed: str = field(repr=False)
    certificate: str | None = None  # file with that of the server, where it speaks TLS


class NatsUsers:
    def __init__(
        self,
        bus: Bus,
        access: Access,
        verifier: TokenVerifier,
        directory: Directory,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._known = Known(bus, directory, clock)
        self._callout = Callout(AccountKey(access.issuer_seed), verifier, self._known, clock)
        self._clock = clock
        self._buses: list[NatsBus] = []
        self._connections: Connections | None = None
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    @property
    def problem(self) -> str | None:
        if self._unsubscribe is None or self._connections is None:
            return "NATS lets no users in yet"
        away = next((bus.problem for bus in self._buses if bus.problem is not None), None)
        return away or self._known.problem or self._connections.problem

    async def start(self) -> None:
        """Raises: Unavailable."""
        access = self._access
        try:
            system = await self._connect(access.system_user, access.system_password)
            asked = await self._connect(access.callout_user, access.callout_password)
            await self._known.start()
            self._connections = Connections(system, self._known, self._clock)
            self._connections.start()
            self._unsubscribe = await asked.serve(SUBJECT, self._callout.answer)
        except Unavailable:
            await self.stop()
            raise
        log.info("NATS lets users in")

    async def stop(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()
        if self._connections is not None:
            await self._connections.stop()
            self._connections = None
            await self._known.stop()
        await asyncio.gather(*(bus.close() for bus in self._buses))
        self._buses.clear()

    async def _connect(self, user: str, password: str) -> NatsBus:
        certificate = Path(self._access.certificate) if self._access.certificate else None
        bus = await nats.connect(
            self._access.url, user, password, name=f"callout {user}", wait_s=CONNECT_S, certificate=certificate
        )
        self._buses.append(bus)
        return bus
