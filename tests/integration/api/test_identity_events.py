"""Who is told of what happens to people and to what they may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.relay import EventRelay
from faasioflex.model.identity import UserRecord
from support.api_client import BASE_URL, function, ready
from support.deadline import awaited
from support.identity import TestIdentity


@dataclass
class World:
    bus: MemoryBus
    client: httpx.AsyncClient
    identity: TestIdentity

    async def ask(self, who: UserRecord | None, method: str, path: str, body: object = None) -> httpx.Response:
        token = self.identity.admin if who is None else self.identity.token(who)
        answer = await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code < 300, answer.text
        return answer

    async def heard(self, who: UserRecord | None) -> set[str]:
        """Types of the events that they read."""
        lines = (await self.ask(who, "GET", "/events")).text.splitlines()
        return {json.loads(line)["type"].removeprefix("faasioflex.") for line in lines}

    async def until(self, count: int) -> None:
        async def there() -> bool:
            async with self.bus.read(buckets.EVENTS.name, "ffx.event.>") as messages:
                return len([one async for one in messages]) >= count

        await awaited(there, f"{count} events")


@pytest.fixture
async def world(bus: MemoryBus) -> AsyncIterator[World]:
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/invoker.sock"), readiness=ready)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    relay = EventRelay(bus)
    async with app.router.lifespan_context(app), client:
        await relay.start()
        yield World(bus, client, identity)
        await relay.stop()


async def test_each_hears_of_what_they_may_read(world: World) -> None:
    people = {name: await world.identity.user(name) for name in ("alice", "bob", "carol")}
    operator, auditor = await world.identity.user("oper", "operator"), await world.identity.user("audit", "auditor")
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    await world.ask(alice, "POST", "/functions/register", function())
    await world.ask(alice, "PUT", "/functions/alice/hello/grants/user%3Abob@example.test", {"verbs": ["read"]})
    await world.ask(alice, "PUT", "/namespaces/alice/bindings/user%3Acarol@example.test", {"role": "developer"})
    await world.ask(alice, "PUT", "/namespaces/alice/secrets/db", {"value": "of-alice"})
    await world.ask(alice, "POST", "/tokens", {"name": "ci", "kind": "personal"})
    await world.ask(None, "PUT", "/groups/staff", {"members": ["bob@example.test"]})
    await world.until(2 * 5 + 6)
    mine = {"function.registered", "grant.created", "binding.created", "secret.created", "namespace.created"}
    of_people = {"user.created", "group.created"}
    assert await world.heard(alice) == mine
    assert await world.heard(bob) == {"function.registered", "namespace.created"}, "his own namespace"
    assert await world.heard(carol) == {"function.registered", "binding.created", "secret.created", "namespace.created"}
    assert await world.heard(operator) == (mine | of_people) - {"secret.created"}
    assert await world.heard(auditor) == await world.heard(None) == mine | of_people | {"token.created"}


async def test_who_did_it_and_to_whom_is_told_and_nobodys_address(world: World) -> None:
    alice, bob = await world.identity.user("alice"), await world.identity.user("bob")
    await world.ask(alice, "POST", "/functions/register", function())
    to_bob = "/functions/alice/hello/grants/user%3Abob@example.test"
    for verbs in (["read"], ["read", "invoke"]):
        await world.ask(alice, "PUT", to_bob, {"verbs": verbs})
    await world.ask(alice, "PUT", to_bob, {"verbs": ["read", "invoke"]})  # nothing new
    await world.ask(alice, "DELETE", to_bob)
    await world.until(8)
    text = (await world.ask(None, "GET", "/events")).text
    found = [json.loads(line) for line in text.splitlines()]
    grants = [one for one in found if ".grant." in one["type"]]
    assert [one["type"].rsplit(".")[-1] for one in grants] == ["created", "updated", "deleted"]
    assert {one["subject"] for one in grants} == {"alice/hello"}
    assert all(one["data"] == {"by": alice.uid, "to": f"user:{bob.uid}"} for one in grants)
    assert "example.test" not in "".join(json.dumps(one) for one in found if ".function." not in one["type"])
