"""The result cache as a way to see or to change what others get: between principals, by odd requests, by odd answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from faasioflex.bus import buckets
from faasioflex.model.function import CachePolicy, Visibility
from faasioflex.model.identity import Revocation
from support.cached_world import Cached, Counting, cached_world
from support.deadline import awaited, eventually

SHARED = CachePolicy(60.0, shared=True)


@pytest.fixture
async def here() -> AsyncIterator[Cached]:
    async with cached_world() as made:
        yield made


async def token(here: Cached, name: str) -> str:
    return here.world.identity.token(await here.world.identity.user(name))


async def whoami(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text=request.headers.get("X-Ffx-User", "nobody"))


async def as_(here: Cached, shown: str | None, **how: Any) -> tuple[int, str, dict[str, str]]:
    here.world.token = shown
    return await here.ask(**how)


@pytest.mark.parametrize("visibility", ["private", "authenticated"])
async def test_nobody_is_given_what_another_was_told(here: Cached, visibility: Visibility) -> None:
    await here.serve(whoami, visibility=visibility)
    admin, other = here.world.identity.admin, await token(here, "acme")
    seen = [(await as_(here, who))[1] for who in (admin, other, admin, other)]
    assert seen[0] == seen[2] != seen[1] == seen[3]
    assert "hit" in (await as_(here, other))[2]["cache-status"]


async def test_who_may_not_call_is_refused_although_there_is_an_answer(here: Cached) -> None:
    await here.serve(Counting(), SHARED)
    assert (await as_(here, here.world.identity.admin))[0] == 200
    assert "hit" in (await as_(here, await token(here, "acme")))[2]["cache-status"]
    for shown, status in ((None, 401), (await token(here, "stranger"), 404), ("a.b.c", 401)):
        refused, text, fields = await as_(here, shown)
        assert refused == status
        assert "cache-status" not in fields
        assert "/x" not in text


async def test_what_was_public_is_not_given_when_it_is_private_again(here: Cached) -> None:
    await here.serve(Counting(), visibility="public")
    await as_(here, None)
    await here.world.route("hello", here.instance, cache=CachePolicy(60.0), visibility="private")
    assert (await as_(here, None))[0] == 401
    assert "hit" not in (await as_(here, here.world.identity.admin))[2]["cache-status"]


async def test_a_personal_answer_of_a_shared_function_reaches_its_person_alone(here: Cached) -> None:
    async def personal(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers["X-Ffx-User"], headers={"Cache-Control": "private, max-age=60"})

    await here.serve(personal, SHARED)
    admin, other = here.world.identity.admin, await token(here, "acme")
    assert (await as_(here, admin))[1] != (await as_(here, other))[1]
    assert len(here.store) == 0


async def test_a_shared_answer_may_vary_by_who_calls(here: Cached) -> None:
    async def varies(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers["X-Ffx-User"], headers={"Vary": "X-Ffx-User"})

    await here.serve(varies, SHARED)
    admin, other = here.world.identity.admin, await token(here, "acme")
    seen = [(await as_(here, who))[1] for who in (admin, other, admin, other)]
    assert seen[0] == seen[2] != seen[1] == seen[3]


@pytest.mark.parametrize("name", ["Cookie", "Authorization"])
async def test_a_public_functions_own_sessions_are_kept_apart(here: Cached, name: str) -> None:
    async def mine(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers.get(name, "nobody"))

    await here.serve(mine, visibility="public")
    for shown in ("Basic alice", "Basic bob", "Basic alice"):
        assert (await as_(here, None, headers={name: shown}))[1] == shown
    assert (await as_(here, None))[1] == "nobody"


async def test_a_cookie_that_is_set_is_given_once(here: Cached) -> None:
    await here.serve(Counting(Set_Cookie="session=secret"), visibility="public")
    await as_(here, None)
    assert len(here.store) == 0


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Original-URL", "Forwarded", "Origin", "X-Http-Method-Override"]
)
async def test_what_a_request_smuggles_into_an_answer_stays_with_it(here: Cached, name: str) -> None:
    async def reflects(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers.get(name, "none"))

    await here.serve(reflects, CachePolicy(60.0, ("path",)), visibility="public")
    assert (await as_(here, None, headers={name: "evil.example"}))[1] == "evil.example"
    assert (await as_(here, None))[1] == "none"


async def test_a_get_with_a_body_changes_nothing_for_others(here: Cached) -> None:
    async def reflects(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=(await request.read()).decode() or "none")

    await here.serve(reflects, visibility="public")
    assert (await as_(here, None, data="evil"))[1] == "evil"
    assert (await as_(here, None))[1] == "none"


async def test_errors_that_a_request_provokes_are_not_given_to_others(here: Cached) -> None:
    async def breaks(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=400 if "X-Odd" in request.headers else 200)

    await here.serve(breaks, visibility="public")
    assert (await as_(here, None, headers={"X-Odd": "1"}))[0] == 400
    assert (await as_(here, None))[0] == 200


async def test_a_path_that_looks_like_a_picture_is_no_reason_to_keep(here: Cached) -> None:
    """Cache deception: only what the answer says and the policy counts, never how the path ends."""
    await here.serve(Counting(Cache_Control="no-store"), visibility="public")
    for _ in range(2):
        assert "stored" not in (await as_(here, None, path="/account/a.css"))[2]["cache-status"]


async def test_headers_of_a_call_do_not_come_with_a_hit(here: Cached) -> None:
    await here.serve(Counting(X_Ffx_Secret="1", Connection="x-hop", X_Hop="1"), visibility="public")
    first = (await as_(here, None, headers={"X-Request-Id": "one"}))[2]
    second = (await as_(here, None, headers={"X-Request-Id": "two"}))[2]
    assert (first["x-request-id"], second["x-request-id"]) == ("one", "two")
    assert not {"x-ffx-secret", "x-hop", "ffx-proof"} & set(second)


async def test_a_function_cannot_say_that_it_is_a_hit_for_ever(here: Cached) -> None:
    await here.serve(Counting(Age="59", Cache_Status="other; hit"), visibility="public")
    await as_(here, None)
    here.clock.now += 2
    fields = (await as_(here, None))[2]
    assert "hit" not in fields["cache-status"].replace("other; hit", "")


async def test_what_was_made_by_another_of_that_name_is_not_given(here: Cached) -> None:
    await here.serve(Counting(), visibility="public")
    await as_(here, None)
    entry = await here.world.routes.get("acme.hello")
    assert entry is not None
    await here.world.put("hello", replace(entry.value, function_uid="uid-2"))
    assert len(here.store) == 0
    assert "fwd=uri-miss" in (await as_(here, None))[2]["cache-status"]


async def test_a_deleted_functions_answers_are_gone(here: Cached) -> None:
    await here.serve(Counting(), visibility="public")
    await as_(here, None)
    await here.world.routes.delete("acme.hello")
    await eventually(lambda: len(here.store) == 0, "forgotten")
    assert (await as_(here, None))[0] in (401, 404)


async def test_a_revoked_token_gets_no_kept_answer(here: Cached) -> None:
    await here.serve(Counting())
    shown = await token(here, "acme")
    assert (await as_(here, shown))[0] == 200
    user = await here.world.identity.user("acme")
    revoked = here.world.bus.bucket(buckets.REVOKED.name, Revocation)
    await revoked.put(f"sub.{user.uid}", Revocation(time.time() + 1, time.time() + 60))

    async def refused() -> bool:
        return (await as_(here, shown))[0] == 401

    await awaited(refused, "it is refused")
