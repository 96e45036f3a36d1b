"""Two requests at the same moment do not get together what neither gets after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.memory.bucket import MemoryBucket
from faasioflex.model.identity import UserRecord
from support.api_client import BASE_URL, function, ready
from support.identity import TestIdentity

TURNS = 5  # of the event loop that each read takes: as long as a server's answer, so that the others come in between


@dataclass
class World:
    client: httpx.AsyncClient
    identity: TestIdentity

    async def ask(self, who: UserRecord | None, method: str, path: str, body: object = None) -> httpx.Response:
        token = self.identity.admin if who is None else self.identity.token(who)
        return await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def world(bus: MemoryBus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/invoker.sock"), readiness=ready)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), client:
        for name in ("get", "list"):
            monkeypatch.setattr(MemoryBucket, name, slowly(getattr(MemoryBucket, name)))
        yield World(client, identity)


def slowly(method: Any) -> Any:
    async def later(*args: Any) -> Any:
        found = await method(*args)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return found

    return later


@pytest.mark.parametrize(
    "less", [("PUT", {"role": "developer"}), ("PUT", {"disabled": True}), ("DELETE", None)], ids=lambda one: str(one[1])
)
async def test_of_admins_who_go_at_the_same_moment_one_stays(world: World, less: tuple[str, Any]) -> None:
    admins = [await world.identity.user(f"admin{number}", "admin") for number in range(4)]
    method, body = less
    answers = await asyncio.gather(*(world.ask(None, method, f"/users/{one.uid}", body) for one in admins))
    refused = [one for one in answers if one.status_code == 409]
    assert len(refused) == 1, [one.text for one in answers]
    assert "is the last admin" in refused[0].json()["detail"]
    people = (await world.ask(None, "GET", "/users")).json()["items"]
    assert sum(one["role"] == "admin" and not one["disabled"] and one["id"] != "u-local" for one in people) == 1


async def test_the_quota_of_functions_holds_for_those_that_come_together(world: World) -> None:
    alice = await world.identity.user("alice")
    await world.ask(None, "PUT", "/namespaces/alice/quota", {"functions": 3})
    answers = await asyncio.gather(
        *(world.ask(alice, "POST", "/functions/register", function(f"f{number}")) for number in range(8))
    )
    assert Counter(one.status_code for one in answers) == {201: 3, 403: 5}
    assert {one.json()["code"] for one in answers if one.status_code == 403} == {"quota-exceeded"}
    assert len((await world.ask(alice, "GET", "/functions")).json()["items"]) == 3


async def test_the_quota_of_instances_holds_for_those_that_are_scaled_together(world: World) -> None:
    alice = await world.identity.user("alice")
    for number in range(4):
        await world.ask(alice, "POST", "/functions/register", function(f"f{number}"))
    await world.ask(None, "PUT", "/namespaces/alice/quota", {"instances": 4})
    answers = await asyncio.gather(
        *(world.ask(alice, "PUT", f"/functions/alice/f{number}/scale", {"instances": 2}) for number in range(4))
    )
    assert Counter(one.status_code for one in answers) == {200: 2, 403: 2}
