"""The issuer's endpoints, /tokens and /whoami over HTTP."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Any

import httpx
import pytest

from faasioflex.identity.tokens.exchange import ID_TOKEN
from faasioflex.identity.tokens.grants import TOKEN_EXCHANGE
from support.api_client import code_of
from support.deadline import awaited
from support.fake_login import FakeLogin
from support.forged_tokens import b64
from support.identity import ISSUER, TestIdentity

FORM = "application/x-www-form-urlencoded"


def exchange(subject: str = "ana") -> dict[str, str]:
    token = FakeLogin().id_token(subject, time.time())
    return {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": "ffx-cli",
        "subject_token": token,
        "subject_token_type": ID_TOKEN,
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def log_in(http: httpx.AsyncClient, subject: str = "ana") -> dict[str, str]:
    answer = await http.post("/oidc/token", data=exchange(subject))
    assert answer.status_code == 200, answer.text
    return bearer(answer.json()["access_token"])


async def test_the_issuer_describes_itself(http: httpx.AsyncClient) -> None:
    for path in ("openid-configuration", "oauth-authorization-server"):
        found = (await http.get(f"/oidc/.well-known/{path}")).json()
        assert found["issuer"] == ISSUER
        assert found["token_endpoint"] == f"{ISSUER}/token"
        assert TOKEN_EXCHANGE in found["grant_types_supported"]
    keys = (await http.get("/oidc/jwks")).json()["keys"]
    assert keys[0]["kty"] == "RSA"
    assert "d" not in keys[0]


async def test_a_login_refreshes_and_is_given_back(http: httpx.AsyncClient) -> None:
    answer = await http.post("/oidc/token", data=exchange())
    assert answer.headers["cache-control"] == "no-store"
    held = answer.json()
    form = {"grant_type": "refresh_token", "refresh_token": held["refresh_token"], "client_id": "ffx-cli"}
    second = (await http.post("/oidc/token", data=form)).json()
    replay = await http.post("/oidc/token", data=form)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert replay.headers["cache-control"] == "no-store"
    given = await http.post("/oidc/revoke", data={"token": second["refresh_token"], "client_id": "ffx-cli"})
    assert (given.status_code, given.content) == (200, b"")
    assert (await http.post("/oidc/revoke", data={"token": "noise", "client_id": "ffx-cli"})).status_code == 200


def basic(client_id: str, secret: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        ({"json": {"grant_type": "refresh_token"}}, 400, "invalid_request"),
        ({"content": b"grant_type=refresh_token"}, 400, "invalid_request"),
        ({"content": b"grant_type", "headers": {"Content-Type": FORM}}, 400, "invalid_request"),
        ({"content": b"\xff=1", "headers": {"Content-Type": FORM}}, 400, "invalid_request"),
        ({"content": b"a=%ff", "headers": {"Content-Type": FORM}}, 400, "invalid_request"),
        (
            {"content": b"client_id=ffx-cli&client_id=ffx-cli", "headers": {"Content-Type": FORM}},
            400,
            "invalid_request",
        ),
        (
            {"content": b"&".join(b"a%d=1" % i for i in range(60)), "headers": {"Content-Type": FORM}},
            400,
            "invalid_request",
        ),
        ({"content": b"a=" + b"x" * 70_000, "headers": {"Content-Type": FORM}}, 413, "invalid_request"),
        ({"data": {"grant_type": "refresh_token"}}, 401, "invalid_client"),
        ({"data": {"grant_type": "refresh_token", "client_id": "nobody"}}, 401, "invalid_client"),
        ({"data": {"client_id": "ffx-cli"}}, 400, "invalid_request"),
        ({"data": {"grant_type": "x"}, "headers": basic("ffx-cli", "secret")}, 401, "invalid_client"),
        ({"data": {"grant_type": "x"}, "headers": {"Authorization": "Basic !"}}, 401, "invalid_client"),
        ({"data": {"grant_type": "x"}, "headers": {"Authorization": "Bearer x"}}, 401, "invalid_client"),
        ({"data": {"grant_type": "x", "client_id": "other"}, "headers": basic("ffx-cli")}, 400, "invalid_request"),
        ({"data": {"grant_type": "x", "client_secret": "s"}, "headers": basic("ffx-cli")}, 400, "invalid_request"),
        ({"data": {"grant_type": "password", "client_id": "ffx-cli"}}, 400, "unsupported_grant_type"),
        ({"data": {"grant_type": "refresh_token"}, "headers": basic("ffx-cli")}, 400, "invalid_request"),
    ],
)
async def test_what_is_no_token_request_is_refused_as_oauth_says(
    http: httpx.AsyncClient, request_: dict[str, Any], status: int, error: str
) -> None:
    answer = await http.post("/oidc/token", **request_)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"].isascii()
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)


async def test_a_token_in_the_query_is_none(http: httpx.AsyncClient, identity: TestIdentity) -> None:
    token = identity.token(await identity.user("ana"))
    for query in (f"access_token={token}", f"token={token}"):
        answer = await http.get(f"/whoami?{query}")
        assert answer.status_code in (401, 422)
    assert (await http.get(f"/oidc/token?access_token={token}")).status_code in (405, 422)


async def test_who_asks(http: httpx.AsyncClient, identity: TestIdentity) -> None:
    headers = await log_in(http)
    said = (await http.get("/whoami", headers=headers)).json()
    assert said["user"] == said["id"]
    assert said["user"].startswith("u-")
    assert (said["kind"], said["email"], said["namespace"], said["role"]) == (
        "user",
        "ana@example.test",
        "ana",
        "developer",
    )
    assert said["roles"] == {"ana": ["admin"]}
    assert said["scope"] is None
    assert said["nats"]["inbox_prefix"] == f"_INBOX_{said['id']}"
    local = (await http.get("/whoami", headers=bearer(identity.admin))).json()
    assert (local["id"], local["role"], local["namespace"]) == ("u-local", "admin", "admin")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer noise"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": f"Bearer {b64(b'{}')}.{b64(b'{}')}.x"},
    ],
)
async def test_without_a_token_nobody_is_told_anything(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in ("/whoami", "/tokens", "/tokens/t-" + "0" * 24):
        answer = await http.get(path, headers=headers)
        assert code_of(answer) == (401, "not-authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_authorization_headers_are_one_too_many(http: httpx.AsyncClient, identity: TestIdentity) -> None:
    good = f"Bearer {identity.admin}"
    for pair in ((good, good), ("Bearer x", good), (good, "Basic x")):
        answer = await http.get("/whoami", headers=[("Authorization", one) for one in pair])
        assert code_of(answer)[0] == 401


async def test_a_tokens_life(http: httpx.AsyncClient, identity: TestIdentity) -> None:
    headers = await log_in(http)
    wanted = {
        "name": "ci",
        "kind": "service",
        "namespaces": ["ana"],
        "verbs": ["deploy", "invoke"],
        "expires_in_s": 3600,
    }
    made = await http.post("/tokens", json=wanted, headers=headers)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    token, item = made.json()["token"], {name: value for name, value in made.json().items() if name != "token"}
    assert item["scope"] == {"namespaces": ["ana"], "functions": None, "verbs": ["deploy", "invoke"]}
    assert (item["owner"], item["namespace"], item["last_used_at"]) == ("ana@example.test", "ana", None)
    said = (await http.get("/whoami", headers=bearer(token))).json()
    assert (said["kind"], said["id"], said["email"]) == ("service", item["id"], "")
    assert (await http.get(f"/tokens/{item['id']}", headers=headers)).json() == item
    assert (await http.get("/tokens", headers=headers)).json() == {"items": [item], "next": None}
    renamed = await http.put(f"/tokens/{item['id']}", json={"name": "cd"}, headers=headers)
    assert renamed.json() == {**item, "name": "cd"}
    other = await log_in(http, "ben")
    for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
        answer = await http.request(method, f"/tokens/{item['id']}", json=body, headers=other)
        assert code_of(answer) == (404, "not-found")
    assert (await http.delete(f"/tokens/{item['id']}", headers=headers)).status_code == 204
    assert (await http.get(f"/tokens/{item['id']}", headers=headers)).status_code == 404

    async def refused() -> bool:
        return (await http.get("/whoami", headers=bearer(token))).status_code == 401

    await awaited(refused, "the token is void", within_s=2)
    assert code_of(await http.get("/whoami", headers=bearer(token))) == (401, "token-revoked")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 1},
        {"name": "x", "kind": "root"},
        {"name": "x", "owner": "u-local"},
        {"name": "x", "id": "t-1"},
        {"name": "x", "expires_in_s": 1},
        {"name": "x", "expires_in_s": 366 * 86_400 + 1},
        {"name": "x", "verbs": ["see"]},
        {"name": "x", "verbs": []},
        {"name": "x", "functions": ["a/b/c"]},
        {"name": "x", "kind": "service"},
    ],
)
async def test_a_token_that_cannot_be_is_a_422(
    http: httpx.AsyncClient, identity: TestIdentity, body: dict[str, Any]
) -> None:
    answer = await http.post("/tokens", json=body, headers=bearer(identity.admin))
    assert code_of(answer) == (422, "invalid")
    assert answer.json()["errors"]


async def test_tokens_come_in_pages(http: httpx.AsyncClient) -> None:
    headers = await log_in(http)
    for number in range(5):
        assert (await http.post("/tokens", json={"name": str(number)}, headers=headers)).status_code == 201
    names, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await http.get("/tokens", params=query, headers=headers)).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == ["0", "1", "2", "3", "4"]
    assert code_of(await http.get("/tokens?all=true", headers=headers)) == (403, "not-allowed")


async def test_keys_are_rotated_by_admins(http: httpx.AsyncClient, identity: TestIdentity) -> None:
    assert code_of(await http.post("/oidc/keys/rotate", headers=await log_in(http))) == (403, "not-allowed")
    assert code_of(await http.post("/oidc/keys/rotate"))[0] == 401
