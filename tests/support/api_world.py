"""The API over a bus in memory, asked by people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from faasioflex.api.app import create_app
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.identity import Role, UserRecord
from support.api_client import BASE_URL, ready
from support.identity import TestIdentity


@dataclass
class ApiWorld:
    bus: MemoryBus
    client: httpx.AsyncClient
    identity: TestIdentity

    def bearer(self, who: UserRecord | None) -> dict[str, str]:
        """None: the local admin."""
        token = self.identity.admin if who is None else self.identity.token(who)
        return {"Authorization": f"Bearer {token}"}

    async def ask(self, who: UserRecord | None, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers=self.bearer(who))

    async def made(self, who: UserRecord | None, method: str, path: str, body: object = None) -> httpx.Response:
        """As :meth:`ask`; it must work."""
        answer = await self.ask(who, method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer

    async def person(self, name: str, role: Role = "developer") -> UserRecord:
        return await self.identity.user(name, role)


@asynccontextmanager
async def api_world(bus: MemoryBus) -> AsyncIterator[ApiWorld]:
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/invoker.sock"), readiness=ready)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), client:
        yield ApiWorld(bus, client, identity)
