"""Secrets over HTTP: who may what, that values never come back, and that functions list what is set by who may set it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.identity import Binding, BindingsRecord
from support.api_client import BASE_URL, function, ready
from support.deadline import eventually
from support.identity import TestIdentity

VALUE = "correct horse battery"
ADA = "/namespaces/ada/secrets"


class World:
    def __init__(self, app: Any, identity: TestIdentity, bus: MemoryBus) -> None:
        self.app, self.identity, self.bus = app, identity, bus

    @asynccontextmanager
    async def as_(self, token: str | None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=BASE_URL, headers=headers
        ) as client:
            yield client


@pytest.fixture
async def world() -> AsyncIterator[World]:
    bus = MemoryBus()
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent"), readiness=ready)
    async with app.router.lifespan_context(app):
        yield World(app, identity, bus)
    await bus.close()


@pytest.fixture
async def ada(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.as_(world.identity.token(await world.identity.user("ada"))) as client:
        yield client


async def test_set_list_and_delete_without_ever_showing_a_value(ada: httpx.AsyncClient):
    answers = [await ada.put(f"{ADA}/db-password", json={"value": VALUE})]
    assert (answers[0].status_code, answers[0].headers["etag"]) == (201, '"1"')
    encoded = base64.b64encode(VALUE.encode() + b"\xff").decode()
    answers.append(await ada.put(f"{ADA}/db-password", json={"value_base64": encoded}))
    assert (answers[1].status_code, answers[1].json()["version"]) == (200, 2)
    answers.append(await ada.get(ADA))
    assert [one["name"] for one in answers[2].json()["items"]] == ["db-password"]
    assert answers[2].json()["items"][0]["updated_by"] == "ada@example.test"
    answers.append(await ada.get(f"{ADA}/db-password"))
    answers.append(await ada.post(f"{ADA}/rotate"))
    assert answers[4].json() == {"secrets": 1}
    for answer in answers:
        assert VALUE not in answer.text
        assert encoded not in answer.text
        assert "ciphertext" not in answer.text
    assert (await ada.delete(f"{ADA}/db-password")).status_code == 204
    assert (await ada.get(f"{ADA}/db-password")).json()["code"] == "secret-not-found"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 422),
        ({"value": "x", "value_base64": "eA=="}, 422),
        ({"value_base64": "not base64!"}, 422),
        ({"value": "x", "version": 7}, 422),
        ({"value": "x" * 65_537}, 422),
        ({"value": "ä" * 40_000}, 413),
    ],
)
async def test_what_is_no_value_is_refused(ada: httpx.AsyncClient, document: dict[str, Any], status: int):
    answer = await ada.put(f"{ADA}/key", json=document)
    assert answer.status_code == status, answer.text
    assert (await ada.get(ADA)).json()["items"] == []


async def test_if_match_guards(ada: httpx.AsyncClient):
    await ada.put(f"{ADA}/key", json={"value": "one"})
    wrong, right = {"If-Match": '"7"'}, {"If-Match": '"1"'}
    assert (await ada.put(f"{ADA}/key", json={"value": "two"}, headers=wrong)).status_code == 412
    assert (await ada.delete(f"{ADA}/key", headers=wrong)).status_code == 412
    assert (await ada.put(f"{ADA}/key", json={"value": "two"}, headers=right)).status_code == 200


@pytest.mark.parametrize("role", ["operator", "auditor", "developer", None])
async def test_others_may_not(world: World, ada: httpx.AsyncClient, role: Any):
    await ada.put(f"{ADA}/key", json={"value": VALUE})
    token = world.identity.token(await world.identity.user("eve", role)) if role is not None else None
    expected = {"operator": (403, 403), "auditor": (200, 403), "developer": (404, 404), None: (401, 401)}[role]
    async with world.as_(token) as eve:
        found = await eve.get(ADA)
        changed = [
            await eve.put(f"{ADA}/key", json={"value": "mine"}),
            await eve.delete(f"{ADA}/key"),
            await eve.post(f"{ADA}/rotate"),
        ]
        assert found.status_code == expected[0]
        assert VALUE not in found.text
        assert [one.status_code for one in changed] == [expected[1]] * 3
        assert (await eve.post("/secrets/rotate-master")).status_code == (403 if token else 401)
        if role == "developer":  # hidden answers as what is not there
            missing = await eve.get("/namespaces/nobody/secrets")
            assert missing.json()["detail"].replace("nobody", "ada") == found.json()["detail"]
    assert (await ada.get(f"{ADA}/key")).json()["version"] == 1


async def test_a_function_lists_only_what_is_set(ada: httpx.AsyncClient):
    refused = await ada.post("/functions/register", json=function(secrets=["key"]))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/secrets/0"
    assert "ffx secret set key" in refused.json()["detail"]
    await ada.put(f"{ADA}/key", json={"value": VALUE})
    made = await ada.post("/functions/register", json=function(secrets=["key"]))
    assert (made.status_code, made.json()["secrets"]) == (201, ["key"])
    assert (await ada.patch("/functions/ada/hello", json={"secrets": ["key", "other"]})).status_code == 422


async def test_a_secret_in_use_is_deleted_by_force_only(ada: httpx.AsyncClient):
    await ada.put(f"{ADA}/key", json={"value": VALUE})
    await ada.post("/functions/register", json=function(secrets=["key"]))
    refused = await ada.delete(f"{ADA}/key")
    assert (refused.status_code, "ada/hello" in refused.json()["detail"]) == (409, True)
    assert (await ada.delete(f"{ADA}/key?force=true")).status_code == 204


async def test_who_may_deploy_one_function_does_not_get_every_secret_by_it(world: World, ada: httpx.AsyncClient):
    for name in ("key", "other"):
        await ada.put(f"{ADA}/{name}", json={"value": VALUE})
    await ada.post("/functions/register", json=function(secrets=["key"]))
    bob = await world.identity.user("bob")
    given = await ada.put("/functions/ada/hello/grants/user:bob@example.test", json={"verbs": ["deploy"]})
    assert given.status_code == 201, given.text
    async with world.as_(world.identity.token(bob)) as client:

        async def may_deploy() -> bool:
            return (await client.patch("/functions/ada/hello", json={"description": "x"})).status_code == 200

        await eventually(lambda: "ada.hello" in world.identity.directory.grants.entries, "the grant", 5)
        assert await may_deploy()
        assert (
            await client.patch("/functions/ada/hello", json={"secrets": ["key"], "env": {"A": "1"}})
        ).status_code == 200
        for secrets in (["key", "other"], ["other"], ["never-set"]):
            refused = await client.patch("/functions/ada/hello", json={"secrets": secrets})
            assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
            assert "db" not in refused.json()["detail"]


async def test_a_developer_of_the_namespace_may(world: World, ada: httpx.AsyncClient):
    bob = await world.identity.user("bob")
    bucket = world.bus.bucket(buckets.BINDINGS.name, BindingsRecord)
    await bucket.put("ada", BindingsRecord("ada", (Binding(f"user:{bob.uid}", "developer"),)))
    await eventually(lambda: "ada" in world.identity.directory.bindings.entries, "the binding", 5)
    async with world.as_(world.identity.token(bob)) as client:
        assert (await client.put(f"{ADA}/key", json={"value": VALUE})).status_code == 201
        assert (await client.get(f"{ADA}/key")).json()["updated_by"] == "bob@example.test"


async def test_names_that_lead_elsewhere_are_refused(ada: httpx.AsyncClient):
    for name in ("..", ".hidden", "a%2F..%2Fb", "a..b", "-x", "x" * 65):
        answer = await ada.put(f"{ADA}/{name}", json={"value": "x"})
        assert answer.status_code in (404, 405, 422), (name, answer.status_code)
    assert (await ada.get(ADA)).json()["items"] == []
