"""Two people of a running platform: one tries what belongs to the other, at the API, at /f/, at execute and on NATS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import nats
import pytest

from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.mint import Mint
from faasioflex.model.identity import UserRecord
from support.platform_process import Platform, wait_for

pytestmark = pytest.mark.slow
MARK = "of-alice-alone"
CODE = f"def handle(event, context):\n    print('{MARK}', flush=True)\n    return '{MARK}'\n"
BODIES = {
    ("put", "/functions/{namespace}/{name}"): {"runtime": "python"},
    ("put", "/functions/{namespace}/{name}/traffic"): {"traffic": [{"revision": 1, "percent": 100}]},
    ("put", "/functions/{namespace}/{name}/scale"): {"instances": 3},
    ("put", "/functions/{namespace}/{name}/grants/{to}"): {"verbs": ["admin"]},
    ("put", "/users/{user}"): {"role": "admin"},
    ("put", "/groups/{group}"): {"members": ["mallory@example.test"]},
    ("put", "/namespaces/{namespace}"): {"owners": ["user:mallory@example.test"]},
    ("put", "/namespaces/{namespace}/bindings/{to}"): {"role": "admin"},
    ("put", "/namespaces/{namespace}/quota"): {"functions": 1},
    ("put", "/namespaces/{namespace}/secrets/{name}"): {"value": "mallory"},
    ("put", "/tokens/{token_id}"): {"name": "mallory"},
    ("post", "/functions/{namespace}/{name}/rollback"): {},
}


@dataclass
class World:
    platform: Platform
    alice: httpx.Client
    mallory: httpx.Client
    ids: dict[str, str]
    token: str  # mallory's
    inbox: str


def _client(platform: Platform, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=platform.url, headers=headers, timeout=60, trust_env=False)


def _user(platform: Platform, name: str) -> tuple[str, str]:
    """Their uid, and an access token as the token service signs it at a login."""
    with platform.client() as admin:
        body = {"email": f"{name}@example.test", "name": name, "password": f"quite long words of {name} 7"}
        answer = admin.post("/users", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
    record = UserRecord(
        made["id"], "", "", made["email"], name, made["namespace"], made["role"], (), time.time(), time.time()
    )
    mint = Mint(SigningKeys(platform.data / "identity/keys"), str(platform.document()["issuer"]))
    return made["id"], mint.access(record, (), time.time()).token


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    platform = Platform(tmp_path_factory.mktemp("idor") / "data")
    try:
        platform.start()
        wait_for(platform.ready, 60, "ready")
        uid, hers = _user(platform, "alice")
        other, theirs = _user(platform, "mallory")
        with _client(platform, hers) as alice, _client(platform, theirs) as mallory:
            wait_for(
                lambda: {alice.get("/whoami").status_code, mallory.get("/whoami").status_code} == {200}, 30, "both"
            )
            body = {"name": "hello", "runtime": "python", "source": {"files": {"main.py": CODE}}}
            made = alice.post("/functions/register?wait_s=60", json=body)
            assert made.status_code == 201, made.text
            assert alice.put("/namespaces/alice/secrets/KEY", json={"value": MARK}).status_code == 201
            token = alice.post("/tokens", json={"name": "ci", "kind": "personal"}).json()["id"]
            call = alice.post("/functions/execute", json={"function": "hello"})
            assert call.status_code == 200, call.text
            ids = {"namespace": "alice", "name": "hello", "revision": "1", "to": f"user:{uid}", "user": uid}
            ids |= {"group": "friends", "token_id": token, "invocation_id": call.json()["invocation_id"]}
            yield World(platform, alice, mallory, ids, theirs, f"_INBOX_{other}")
    finally:
        platform.end()


def test_no_route_gives_or_changes_what_is_anothers(world: World) -> None:
    document = world.mallory.get("/openapi.json").json()
    for path, item in document["paths"].items():
        if "{" not in path:
            continue
        for method in sorted({"get", "put", "patch", "post", "delete"} & set(item)):
            ids = {**world.ids, **({"name": "KEY"} if "/secrets/" in path else {})}
            filled = path.format(**{name: quote(value, safe="") for name, value in ids.items()})
            kind = "application/merge-patch+json" if method == "patch" else "application/json"
            body = None if method in ("get", "delete") else json.dumps(BODIES.get((method, path), {}))
            headers = {} if body is None else {"content-type": kind}
            answer = world.mallory.request(method, filled, content=body, headers=headers)
            assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code} {answer.text}"
            assert MARK not in answer.text
    assert world.alice.get("/functions/alice/hello").json()["visibility"] == "private"
    assert [one["name"] for one in world.alice.get("/namespaces/alice/secrets").json()["items"]] == ["KEY"]
    assert world.alice.get("/functions/alice/hello/grants").json()["items"] == []


@pytest.mark.parametrize("running", [True, False])
def test_no_call_reaches_it(world: World, running: bool) -> None:
    if running:
        assert world.alice.post("/f/alice/hello").text.strip('"\n') == MARK
    else:
        assert world.alice.put("/functions/alice/hello/scale", json={"instances": 0}).status_code == 200
    for method in ("GET", "POST"):
        hidden = world.mallory.request(method, "/f/alice/hello")
        missing = world.mallory.request(method, "/f/alice/hullo")
        assert hidden.status_code == missing.status_code == 404
        assert _said(hidden) == _said(missing)
    hidden, missing = (
        world.mallory.post("/functions/execute", json={"function": f"alice/{name}"}) for name in ("hello", "hullo")
    )
    assert hidden.status_code == missing.status_code == 404, hidden.text
    assert _said(hidden) == _said(missing)


async def test_no_call_reaches_it_on_nats(world: World) -> None:
    url = str(world.platform.document()["nats_url"])
    client = await nats.connect(url, token=world.token, inbox_prefix=world.inbox.encode(), allow_reconnect=False)
    try:
        answers = []
        for name in ("hello", "hullo"):
            reply = await client.request(f"ffx.call.alice.{name}", b"", timeout=20)
            assert MARK.encode() not in reply.data
            answers.append((reply.data + str(reply.headers).encode()).replace(name.encode(), b"IT"))
        assert b"function-not-found" in answers[0]
    finally:
        await client.close()


def test_the_quota_of_calls_is_named_to_who_is_refused(world: World) -> None:
    """Last: it is used up then."""
    with world.platform.client() as admin:
        assert admin.put("/namespaces/alice/quota", json={"calls_per_minute": 2}).status_code == 200
    refused: list[httpx.Response] = []

    def one_is_refused() -> bool:
        answer = world.alice.post("/f/alice/hello")
        refused.extend([answer] if answer.status_code == 429 else [])
        return bool(refused)

    wait_for(one_is_refused, 30, "a call is refused")
    assert "quota calls_per_minute" in refused[0].json()["detail"]
    assert int(refused[0].headers["retry-after"]) > 0


def _said(answer: httpx.Response) -> str:
    said = {key: value for key, value in answer.json().items() if key not in ("request_id", "instance")}
    return json.dumps(said).replace("hello", "IT").replace("hullo", "IT")


def test_the_signing_keys_are_the_platforms(world: World) -> None:
    """What the tests sign with is what nobody but the platform's user may read."""
    folder: Path = world.platform.data / "identity/keys"
    assert {file.stat().st_mode & 0o077 for file in folder.glob("*.pem")} == {0}
