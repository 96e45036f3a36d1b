"""People, groups, bindings, grants and quotas over HTTP: nobody gives what is not theirs to give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.identity import Role, UserRecord
from support.api_client import BASE_URL, code_of, function, ready
from support.identity import TestIdentity

ALICES = "/functions/alice/hello"


@dataclass
class World:
    client: httpx.AsyncClient
    identity: TestIdentity

    async def ask(self, who: UserRecord | None, method: str, path: str, body: object = None) -> httpx.Response:
        token = self.identity.admin if who is None else self.identity.token(who)
        return await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

    async def person(self, name: str, role: Role = "developer") -> UserRecord:
        return await self.identity.user(name, role)


@pytest.fixture
async def world(bus: MemoryBus) -> AsyncIterator[World]:
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/invoker.sock"), readiness=ready)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), client:
        yield World(client, identity)


async def test_a_function_lands_in_its_makers_namespace_and_nowhere_that_is_not_theirs(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    made = await world.ask(alice, "POST", "/functions/register", function())
    assert made.status_code == 201
    assert made.json()["namespace"] == "alice"
    taken = await world.ask(bob, "POST", "/functions/register", function(namespace="alice"))
    free = await world.ask(bob, "POST", "/functions/register", function("other", namespace="alice"))
    assert code_of(taken) == code_of(free) == (403, "not-allowed")
    assert taken.json()["detail"] == free.json()["detail"]
    moved = await world.ask(alice, "PUT", ALICES, {"runtime": "python", "namespace": "bob"})
    assert moved.status_code == 422
    assert (await world.ask(bob, "GET", "/functions/bob/hello")).status_code == 404


async def test_a_grant_counts_at_once_and_who_holds_less_than_admin_grants_nothing(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.ask(alice, "POST", "/functions/register", function())
    assert code_of(await world.ask(bob, "GET", ALICES)) == (404, "function-not-found")
    mine = f"{ALICES}/grants/user%3Abob@example.test"
    assert (await world.ask(alice, "PUT", mine, {"verbs": ["deploy"]})).status_code == 201
    assert (await world.ask(bob, "GET", ALICES)).status_code == 200
    assert code_of(await world.ask(bob, "PUT", mine, {"verbs": ["admin"]})) == (403, "not-allowed")
    assert (await world.ask(alice, "DELETE", mine)).status_code == 204
    assert (await world.ask(bob, "GET", ALICES)).status_code == 404


async def test_an_auditor_reads_who_was_granted_what_and_changes_nothing(world: World) -> None:
    alice, auditor, bob = await world.person("alice"), await world.person("eyes", "auditor"), await world.person("bob")
    await world.ask(alice, "POST", "/functions/register", function())
    mine = f"{ALICES}/grants/user%3Abob@example.test"
    await world.ask(alice, "PUT", mine, {"verbs": ["read"]})
    listed = await world.ask(auditor, "GET", f"{ALICES}/grants")
    assert [one["to"] for one in listed.json()["items"]] == ["user:bob@example.test"]
    assert (await world.ask(auditor, "GET", mine)).json()["verbs"] == ["read"]
    assert code_of(await world.ask(auditor, "PUT", mine, {"verbs": ["admin"]})) == (403, "not-allowed")
    assert code_of(await world.ask(auditor, "DELETE", mine)) == (403, "not-allowed")
    assert code_of(await world.ask(bob, "GET", f"{ALICES}/grants")) == (403, "not-allowed"), (
        "a reader is no admin of it"
    )


@pytest.mark.parametrize("role", ["operator", "developer", "invoker", "auditor"])
async def test_nobody_but_an_admin_makes_themselves_one(world: World, role: Role) -> None:
    eve = await world.person("eve", role)
    for method, path, body in (
        ("PUT", "/users/me", {"role": "admin"}),
        ("POST", "/users", {"email": "x@example.test", "role": "admin", "password": "correct horse battery"}),
        ("PUT", "/groups/mine", {"members": ["eve@example.test"]}),
        ("PUT", "/namespaces/admin/bindings/user%3Aeve@example.test", {"role": "admin"}),
        ("PUT", "/namespaces/admin", {"owners": ["user:eve@example.test"]}),
    ):
        answer = await world.ask(eve, method, path, body)
        assert answer.status_code in (403, 404), f"{method} {path}: {answer.text}"


async def test_a_binding_of_less_than_admin_binds_nobody(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    path = "/namespaces/alice/bindings/user%3Abob@example.test"
    for role in ("operator", "developer", "invoker", "auditor"):
        assert (await world.ask(alice, "PUT", path, {"role": role})).status_code in (200, 201)
        assert code_of(await world.ask(bob, "PUT", path, {"role": "admin"})) == (403, "not-allowed")


async def test_the_last_admin_stays(world: World) -> None:
    chief = await world.person("chief", "admin")
    for method, body in (("PUT", {"role": "developer"}), ("PUT", {"disabled": True}), ("DELETE", None)):
        assert code_of(await world.ask(None, method, f"/users/{chief.uid}", body)) == (409, "wrong-state")
    await world.person("second", "admin")
    assert (await world.ask(None, "DELETE", f"/users/{chief.uid}")).status_code == 204


async def test_a_disabled_person_is_out_at_once(world: World) -> None:
    bob = await world.person("bob")
    assert (await world.ask(bob, "GET", "/whoami")).status_code == 200
    assert (await world.ask(None, "PUT", f"/users/{bob.uid}", {"disabled": True})).status_code == 200
    assert (await world.ask(bob, "GET", "/whoami")).status_code == 401


async def test_quotas_say_which_bound_is_reached(world: World) -> None:
    alice = await world.person("alice")
    assert code_of(await world.ask(alice, "PUT", "/namespaces/alice/quota", {"functions": 9})) == (403, "not-allowed")
    bounds = {"functions": 1, "instances": 2}
    assert (await world.ask(None, "PUT", "/namespaces/alice/quota", bounds)).status_code == 200
    assert (await world.ask(alice, "POST", "/functions/register", function())).status_code == 201
    more = await world.ask(alice, "POST", "/functions/register", function("second"))
    assert code_of(more) == (403, "quota-exceeded")
    assert "'functions'" in more.json()["detail"]
    scaled = await world.ask(alice, "PUT", f"{ALICES}/scale", {"instances": 3})
    assert code_of(scaled) == (403, "quota-exceeded")
    assert "'instances'" in scaled.json()["detail"]
    assert (await world.ask(alice, "PUT", f"{ALICES}/scale", {"instances": 2})).status_code == 200
