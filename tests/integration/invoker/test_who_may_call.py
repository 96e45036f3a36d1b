"""The policy in front of every call: what is hidden and what does not exist are the same; nothing starts for who may not call."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from faasioflex.bus import buckets
from faasioflex.bus.port import Bus
from faasioflex.identity.badge import Badge
from faasioflex.model.errors import FunctionNotFound, NotAllowed, NotAuthenticated
from faasioflex.model.function import Visibility
from faasioflex.model.identity import Grant, GrantsRecord, GrantVerb, Revocation, TokenRecord, TokenScope, UserRecord
from faasioflex.model.names import FunctionName
from support.deadline import awaited, eventually
from support.invoker_world import GATEWAY, World

OPENED: dict[Visibility, set[str]] = {
    "private": {"owner", "admin", "granted"},
    "authenticated": {"owner", "admin", "granted", "stranger", "function"},
    "public": {"owner", "admin", "granted", "stranger", "function", "nobody", "nonsense"},
}
CALLERS = ("owner", "admin", "granted", "stranger", "function", "nobody", "nonsense", "reader")


async def grant(bus: Bus, name: str, to: str, *verbs: GrantVerb) -> None:
    await bus.bucket(buckets.GRANTS.name, GrantsRecord).put(f"acme.{name}", GrantsRecord("uid-1", (Grant(to, verbs),)))


async def token(here: World, who: str) -> str | None:
    """Of a caller of that kind, towards ``acme/hello``."""
    identity = here.identity
    if who == "admin":
        return identity.admin
    if who == "nobody":
        return None
    if who == "nonsense":
        return "a.b.c"
    if who == "function":
        await here.route("caller", await here.instance())
        return identity.mint.function(FunctionName("acme", "caller"), "uid-1", time.time()).token
    user = await identity.user("acme" if who == "owner" else who)
    if who in {"granted", "reader"}:
        await grant(here.bus, "hello", f"user:{user.uid}", "invoke" if who == "granted" else "read")
    return identity.token(user)


def same(problem: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from call to call."""
    del problem["request_id"]
    problem["detail"] = problem["detail"].replace("hello", "NAME").replace("hella", "NAME")
    return problem


@pytest.mark.parametrize("way", ["path", "execute", "bus"])
@pytest.mark.parametrize("visibility", ["private", "authenticated", "public"])
@pytest.mark.parametrize("who", CALLERS)
async def test_every_cell(here: World, who: str, visibility: Visibility, way: str) -> None:
    here.token = await token(here, who)
    await here.route("hello", visibility=visibility)
    if way == "bus" and here.token is None:
        pytest.skip("nobody comes in at NATS")
    status, code = await ask(here, way, "hello")
    if who in OPENED[visibility] or (who == "reader" and visibility != "private"):
        assert status == 200, code
        return
    assert here.wakes == [], "nothing was started for it"
    if who in {"nobody", "nonsense"}:
        assert (status, code) == (401, NotAuthenticated.code)
    elif who == "reader":
        assert (status, code) == (403, NotAllowed.code)
    else:
        assert (status, code) == (404, FunctionNotFound.code)


async def ask(here: World, way: str, name: str) -> tuple[int, str | None]:
    if way == "path":
        async with here.request("POST", f"/f/acme/{name}", data=b"1") as got:
            return got.status, None if got.status == 200 else (await got.json(content_type=None))["code"]
    if way == "execute":
        async with here.request("POST", "/.ffx/execute", json={"function": f"acme/{name}"}) as got:
            return got.status, None if got.status == 200 else (await got.json(content_type=None))["code"]
    assert here.token is not None
    try:
        claims = here.identity.authenticate._verifier.verify(here.token)
    except NotAuthenticated:
        badge = "nonsense"
    else:
        badge = Badge(claims.pid, claims.subject, claims.jti, claims.issued_at, claims.function_uid).text
    made = json.loads(await here.bus.request(f"ffx.call.acme.{name}", b"1", 10, asker=badge))  # type: ignore[call-arg]
    error = made["error"] or {}
    return error.get("http_status", 200), error.get("code")


@pytest.mark.parametrize("who", ["nobody", "nonsense", "stranger", "function"])
@pytest.mark.parametrize("running", [True, False])
async def test_hidden_and_missing_are_one_answer(here: World, who: str, running: bool) -> None:
    here.token = await token(here, who)
    await here.route("hello", *([await here.instance()] if running else []))
    answers = []
    for name in ("hello", "hella"):
        async with here.request("GET", f"/f/acme/{name}") as got:
            head = {k: v for k, v in got.headers.items() if k.lower() != "x-request-id"}
            answers.append((got.status, head, same(await got.json(content_type=None))))
    assert answers[0] == answers[1]
    assert (answers[0][0] == 401) == ("WWW-Authenticate" in answers[0][1])


async def test_hidden_and_missing_ask_the_leader_alike(here: World) -> None:
    """The same reads, the first time and again: the time that an answer takes tells nothing."""
    asked: list[str] = []
    for mirror in (here.invoker._routes._mirror, here.identity.directory.grants):
        get = mirror._bucket.get

        async def counted(key: str, get: Any = get) -> Any:
            asked.append(key)
            return await get(key)

        mirror._bucket.get = counted  # type: ignore[method-assign]
    here.invoker._routes._bucket.get = here.invoker._routes._mirror._bucket.get  # type: ignore[method-assign]
    here.token = await token(here, "stranger")
    await here.route("hello")
    counts = []
    for name in ("hello", "missing"):
        asked.clear()
        for _ in range(3):
            assert (await here.call("GET", f"/f/acme/{name}"))[0] == 404
        counts.append(len(asked))
    assert counts[0] == counts[1] == 2


async def test_a_grant_that_the_copy_has_not_seen_counts_at_once(here: World) -> None:
    user = await here.identity.user("stranger")
    here.token = here.identity.token(user)
    await here.route("hello", await here.instance())
    await grant(here.bus, "hello", f"user:{user.uid}", "invoke")
    assert (await here.call())[0] == 200


async def test_a_person_and_a_token_made_a_moment_ago_count_at_once(here: World) -> None:
    user = await here.identity.user("new")
    await here.route("hello", await here.instance(), visibility="authenticated")
    record = TokenRecord("t-1", "personal", "t", user.uid, user.namespace, TokenScope(), 0.0, time.time() + 60)
    await here.bus.bucket(buckets.TOKENS.name, TokenRecord).put("t-1", record)
    here.token = here.identity.mint.personal(record, user, (), time.time()).token
    assert (await here.call())[0] == 200
    assert here.instances[-1].seen[-1].headers["x-ffx-user"] == user.uid


@pytest.mark.parametrize("what", ["subject", "jti", "disabled"])
async def test_what_was_revoked_is_refused_soon(here: World, what: str) -> None:
    user = await here.identity.user("acme")
    here.token = here.identity.token(user)
    await here.route("hello", await here.instance())
    assert (await here.call())[0] == 200
    revoked = here.bus.bucket(buckets.REVOKED.name, Revocation)
    if what == "subject":
        await revoked.put(f"sub.{user.uid}", Revocation(time.time() + 1, time.time() + 60))
    elif what == "jti":
        jti = here.identity.authenticate.token(here.token).jti
        await revoked.put(f"jti.{jti}", Revocation(None, time.time() + 60))
    else:
        users = here.bus.bucket(buckets.USERS.name, UserRecord)
        entry = await users.get(user.uid)
        assert entry is not None
        await users.put(user.uid, replace(entry.value, disabled=True))

    async def refused() -> bool:
        return (await here.call())[0] == 401

    await awaited(refused, "it is refused", 2)
    expected = "not-authenticated" if what == "disabled" else "token-revoked"
    assert (await here.problem())["code"] == expected


async def test_an_expired_token_says_so(here: World) -> None:
    user = await here.identity.user("acme")
    here.token = here.identity.mint.access(user, (), time.time() - 3600).token
    await here.route("hello", await here.instance())
    assert (await here.problem())["code"] == "token-expired"
    assert (await here.problem("GET", "/f/acme/missing"))["code"] == "token-expired"


async def test_a_function_that_was_registered_anew_is_another_one(here: World) -> None:
    here.token = await token(here, "function")
    await here.route("hello", await here.instance(), visibility="authenticated")
    assert (await here.call())[0] == 200
    await here.route("caller", await here.instance(), function_uid="uid-2")
    assert (await here.problem())["code"] == "not-authenticated"


async def test_what_the_function_learns_of_who_calls(here: World) -> None:
    user = await here.identity.user("acme")
    instance = await here.instance()
    await here.route("hello", instance, visibility="public")
    here.token = here.identity.token(user)
    sent = {"X-Ffx-User": "u-forged", "x_ffx_user": "u-forged", "x-ffx-pid": "u-forged", "X-Ffx-Jti": "j"}
    assert (await here.call(headers=sent))[0] == 200
    here.token = None
    assert (await here.call(headers=sent))[0] == 200
    foreign = {"Authorization": "Bearer of-another-system"}
    assert (await here.call(headers=foreign))[0] == 200
    assert (await here.call(headers={"Authorization": "Basic YTpi"}))[0] == 200
    signed_in, nobody, bearer, basic = (seen.headers for seen in instance.seen)
    assert (signed_in["x-ffx-user"], signed_in["x-ffx-email"]) == (user.uid, "acme@example.test")
    assert "authorization" not in signed_in
    for headers in (nobody, bearer, basic):
        assert "x-ffx-user" not in headers
    assert (bearer["authorization"], basic["authorization"]) == (foreign["Authorization"], "Basic YTpi")
    for headers in (signed_in, nobody, bearer, basic):
        assert not [name for name in headers if name in {"x-ffx-pid", "x-ffx-jti", "x-ffx-proof", "x_ffx_user"}]


@pytest.mark.parametrize("what", ["expired", "disabled"])
async def test_a_public_function_never_gets_a_token_of_ours(here: World, what: str) -> None:
    user = await here.identity.user("acme")
    here.token = here.identity.token(user)
    if what == "expired":
        here.token = here.identity.mint.access(user, (), time.time() - 3600).token
    else:
        revoked = here.bus.bucket(buckets.REVOKED.name, Revocation)
        await revoked.put(f"sub.{user.uid}", Revocation(time.time() + 1, time.time() + 60))
        await eventually(lambda: bool(here.identity.directory.revoked.entries), "it is known")
    instance = await here.instance()
    await here.route("hello", instance, visibility="public")
    assert (await here.call())[0] == 200
    assert not {"authorization", "x-ffx-user"} & instance.seen[0].headers.keys()


async def test_several_authorizations_are_none(here: World) -> None:
    await here.route("hello", await here.instance(), visibility="public")
    here_token, here.token = here.token, None
    head = f"GET /f/acme/hello HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {here_token}\r\nAuthorization: Basic YTpi\r\n\r\n"
    assert (await here.raw(head.encode())).startswith(b"HTTP/1.1 401 ")
    assert here.instances[0].seen == []


async def test_the_gateways_word_is_the_policys_too(here: World) -> None:
    """Overflow that was let through a moment ago is asked about again: what was revoked meanwhile is refused."""
    user = await here.identity.user("stranger")
    here.token = None
    await here.route("hello", await here.instance())
    said = {
        **GATEWAY,
        "x-ffx-pid": user.uid,
        "x-ffx-user": user.uid,
        "x-ffx-namespace": "acme",
        "x-ffx-function": "hello",
    }
    assert (await here.problem("GET", "/", headers=said))["status"] == 404
    await grant(here.bus, "hello", f"user:{user.uid}", "invoke")

    async def let_in() -> bool:
        return (await here.call("GET", "/", headers=said))[0] == 200

    await awaited(let_in, "it is let in", 3)
    assert here.instances[0].seen[0].headers["x-ffx-user"] == user.uid
