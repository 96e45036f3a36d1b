"""Two people; one tries every route of the published document with what belongs to the other.

The routes come from the document: one that ``IDS`` and ``BODIES`` do not know fails here until somebody says what is in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.alert import PLATFORM, Alert
from faasioflex.model.identity import UserRecord
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.queue import DeadLetter, QueuedCall
from support.api_client import BASE_URL, function, ready
from support.identity import TestIdentity

pytestmark = pytest.mark.asyncio
OPEN = {"/healthz", "/readyz", "/version", "/schemas/function.json"}
WITHOUT_IDS = {
    "/functions/register",
    "/functions/execute",
    "/dead-letters",
    "/dead-letters/redrive",
    "/functions",
    "/functions/metrics",
    "/platform/metrics",
    "/metrics",
    "/alerts",
    "/events",
    "/users",
    "/groups",
    "/namespaces",
    "/tokens",
    "/whoami",
    "/secrets/rotate-master",
}
SECRET = "the-owners-own-secret"
METHODS = ("get", "put", "post", "patch", "delete")
BODIES: dict[tuple[str, str], Any] = {
    ("put", "/functions/{namespace}/{name}"): {"runtime": "python"},
    ("patch", "/functions/{namespace}/{name}"): {"visibility": "public"},
    ("put", "/functions/{namespace}/{name}/traffic"): {"traffic": [{"revision": 1, "percent": 100}]},
    ("post", "/functions/{namespace}/{name}/rollback"): {},
    ("put", "/functions/{namespace}/{name}/scale"): {"instances": 3},
    ("put", "/functions/{namespace}/{name}/grants/{to}"): {"verbs": ["admin"]},
    ("put", "/users/{user}"): {"role": "admin", "name": "mallory"},
    ("put", "/groups/{group}"): {"members": ["mallory@example.test"], "claims": [], "description": ""},
    ("put", "/namespaces/{namespace}"): {"owners": ["user:mallory@example.test"], "description": ""},
    ("put", "/namespaces/{namespace}/bindings/{to}"): {"role": "admin"},
    ("put", "/namespaces/{namespace}/quota"): {"functions": 1},
    ("put", "/namespaces/{namespace}/secrets/{name}"): {"value": "mallory"},
    ("post", "/namespaces/{namespace}/secrets/rotate"): {},
    ("put", "/tokens/{token_id}"): {"name": "mallory"},
}


@dataclass
class World:
    client: httpx.AsyncClient
    document: dict[str, Any]
    admin: dict[str, str]
    alice: dict[str, str]
    mallory: dict[str, str]
    ids: dict[str, str]
    missing: dict[str, str]

    @property
    def routes(self) -> list[tuple[str, str]]:
        return [(method, path) for path, item in self.document["paths"].items() for method in METHODS if method in item]

    async def ask(self, method: str, path: str, ids: dict[str, str], caller: dict[str, str]) -> httpx.Response:
        filled = path
        for name in _parameters(path):
            value = ids["secret"] if name == "name" and "/secrets/" in path else ids[name]
            filled = filled.replace("{" + name + "}", quote(value, safe=""))
        body = BODIES.get((method, path))
        kind = "application/merge-patch+json" if method == "patch" else "application/json"
        headers = caller if body is None else {**caller, "Content-Type": kind}
        content = None if body is None else json.dumps(body)
        return await self.client.request(method, filled, headers=headers, content=content)


def _parameters(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def _world() -> AsyncIterator[World]:
    bus = MemoryBus()
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    alice: UserRecord = await identity.user("alice")
    mallory: UserRecord = await identity.user("mallory")
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/invoker.sock"), readiness=ready)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), client:
        admin, hers, theirs = _bearer(identity.admin), _bearer(identity.token(alice)), _bearer(identity.token(mallory))

        async def made(method: str, path: str, body: Any, caller: dict[str, str]) -> Any:
            answer = await client.request(method, path, json=body, headers=caller)
            assert answer.status_code in (200, 201), f"{method} {path}: {answer.text}"
            return answer.json()

        await made("POST", "/functions/register", function(env={"KEY": SECRET}), hers)
        await made("PUT", "/groups/friends", {"members": ["alice@example.test"]}, admin)
        await made("PUT", "/functions/alice/hello/grants/group%3Afriends", {"verbs": ["invoke"]}, hers)
        await made("PUT", "/namespaces/alice/bindings/group%3Afriends", {"role": "invoker"}, hers)
        await made("PUT", "/namespaces/alice/secrets/KEY", {"value": SECRET}, hers)
        token = await made("POST", "/tokens", {"name": SECRET, "kind": "personal"}, hers)
        await bus.bucket(buckets.INVOCATIONS.name, Invocation).put("call-1", _call())
        await bus.bucket(buckets.DEAD_LETTERS.name, DeadLetter).put("alice.hello.call-1", _letter())
        for alert in (_alert("alice.hello"), _alert(PLATFORM)):
            await bus.bucket(buckets.ALERTS.name, Alert).put(alert.key, alert)
        ids = {
            "namespace": "alice",
            "name": "hello",
            "revision": "1",
            "to": "group:friends",
            "user": alice.uid,
            "group": "friends",
            "token_id": token["id"],
            "secret": "KEY",
            "invocation_id": "call-1",
        }
        missing = {
            "namespace": "nobodys",
            "name": "nothing",
            "revision": "1",
            "to": "group:friends",
            "user": "u-000000000000000000000000",
            "group": "nobodys",
            "token_id": "t-000000000000000000000000",
            "secret": "NOTHING",
            "invocation_id": "call-0",
        }
        document = (await client.get("/openapi.json")).json()
        yield World(client, document, admin, hers, theirs, ids, missing)
    await bus.close()


def _letter() -> DeadLetter:
    by = CalledBy("u-alice", "alice")
    body = base64.b64encode(SECRET.encode()).decode()
    call = QueuedCall("call-1", "alice", "hello", "uid", None, "POST", "/", (), body, by, "u-alice", 1.0)
    return DeadLetter(call, replace(_call(), status="dead"), 2.0)


def _alert(about: str) -> Alert:
    """Also of what is the platform's: its message names whoever it is about."""
    return Alert("overload", about, "uid", "firing", 9.0, 5.0, "%", 1.0, f"alice: {SECRET}")


def _call() -> Invocation:
    return Invocation("call-1", "alice/hello", 1, "queued", SECRET, None, 1, 1.0, 1.0, 2.0, 1.0)


async def test_every_route_of_the_document_is_known_here() -> None:
    async with _world() as world:
        for method, path in world.routes:
            if path in OPEN or path.startswith("/oidc") or path in WITHOUT_IDS:
                continue
            assert _parameters(path), f"{path}: say in OPEN or WITHOUT_IDS what it is"
            for name in _parameters(path):
                assert name in world.ids, f"{path}: give IDS a {name} of the owner"
            if method in ("put", "patch"):
                assert (method, path) in BODIES, f"give BODIES one of {method} {path}"


async def test_without_a_token_every_route_but_the_open_ones_is_closed() -> None:
    async with _world() as world:
        for method, path in world.routes:
            if path in OPEN or path.startswith("/oidc") or path in ("/metrics", "/functions/execute"):
                continue
            answer = await world.ask(method, path, world.ids, {})
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code} {answer.text}"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            cookie = await world.ask(method, path, world.ids, {"Cookie": f"token={world.alice['Authorization'][7:]}"})
            assert cookie.status_code == 401, f"{method} {path} takes a cookie"


async def test_what_is_anothers_answers_as_what_does_not_exist() -> None:
    async with _world() as world:
        before = await _state(world)
        for method, path in world.routes:
            if not _parameters(path):
                continue
            answer = await world.ask(method, path, world.ids, world.mallory)
            other = await world.ask(method, path, world.missing, world.mallory)
            where = f"{method} {path}: {answer.status_code} {answer.text}"
            assert answer.status_code in (403, 404), where
            assert SECRET not in answer.text, where
            assert answer.status_code == other.status_code, f"{where}; of what does not exist {other.status_code}"
            assert _said(answer, world.ids) == _said(other, world.missing), f"{where}; {other.text}"
        assert await _state(world) == before


async def test_lists_hold_nothing_of_others() -> None:
    async with _world() as world:
        for path in (
            "/functions",
            "/functions/metrics",
            "/functions/metrics?active=true",
            "/platform/metrics",
            "/alerts",
            "/users",
            "/groups",
            "/namespaces",
            "/tokens",
            "/tokens?all=true",
            "/dead-letters",
        ):
            answer = await world.client.get(path, headers=world.mallory)
            if answer.status_code == 403:
                continue
            assert answer.status_code == 200, f"{path}: {answer.text}"
            assert "alice" not in answer.text, f"{path}: {answer.text}"
            assert SECRET not in answer.text


def _said(answer: httpx.Response, ids: dict[str, str]) -> dict[str, Any]:
    """The problem without the names that the caller sent and the request's own id."""
    text = answer.text
    for name, value in sorted(ids.items(), key=lambda one: -len(one[1])):
        if name not in ("revision",):
            text = text.replace(value, "IT")
    said: dict[str, Any] = json.loads(text)
    return {key: value for key, value in said.items() if key not in ("request_id", "instance")}


async def _state(world: World) -> list[Any]:
    paths = (
        "/functions/alice/hello",
        "/functions/alice/hello/grants",
        "/namespaces/alice",
        "/namespaces/alice/bindings",
        "/namespaces/alice/secrets",
        "/groups/friends",
        "/tokens",
        "/users/me",
        "/dead-letters/call-1",
    )
    answers = [await world.client.get(path, headers=world.alice) for path in paths]
    assert all(answer.status_code == 200 for answer in answers), [answer.text for answer in answers]
    return [answer.json() for answer in answers]
