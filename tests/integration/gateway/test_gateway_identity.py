"""Who reaches an instance directly, and what it and the invoker are told of the caller: a real Envoy, real tokens."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from envoy.extensions.common.matching.v3 import extension_matcher_pb2
from google.protobuf.json_format import ParseDict

from faasioflex.gateway.envoy import admission, discovered
from faasioflex.gateway.envoy.identity import PID_HEADER
from faasioflex.gateway.envoy.routes import ELSEWHERE
from faasioflex.gateway.envoy.scripts import elsewhere_script, only_for
from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.identity.access import Access, Revoked
from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.mint import function_jti
from faasioflex.model.names import FunctionName
from support.envoy import Stack, revision, stack
from support.forged_tokens import header, rs256
from support.identity import ISSUER, throwaway_keys
from support.origin import Origin, Seen, until
from support.platform_tokens import ALICE, bearer, claims, token
from support.rawhttp import request, send

HEADERS: dict[str, dict[str, Any]] = {
    "without kid": {"kid": None},
    "without typ": {"typ": None},
    "with crit": {"crit": ["exp"]},
    "with zip": {"zip": "DEF"},
    "with b64": {"b64": False},
}
pytestmark = pytest.mark.asyncio(loop_scope="module")

PROOF = "the proof of this run"
BOB = "u-bob"


class World:
    """acme/hello with one instance. ``admit`` says who may call it."""

    def __init__(self, made: Stack, instance: Origin) -> None:
        self.stack = made
        self.instance = instance
        self._number = 1
        issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(throwaway_keys().jwks()))
        self._table = RouteTable(1, (), issuers=(issuer,))

    async def admit(self, access: Access, **more: Any) -> None:
        self._number += 1
        function = TableFunction(FunctionName("acme", "hello"), access, (revision(1, self.instance),))
        self._table = replace(self._table, revision=self._number, functions=(function,), **more)
        await self.stack.gateway.apply(self._table)

    async def revoke(self, revoked: Revoked) -> None:
        await self.admit(self._table.functions[0].access, revoked=revoked)

    async def who_answers(self, headers: dict[str, str] | None = None) -> str:
        status, text = await self.stack.get("/f/acme/hello/x", headers=headers or {})
        assert status == 200, text
        return text

    async def trusts(self) -> None:
        """Return when Envoy has read whose tokens to verify."""
        good = bearer(token())

        async def seen() -> bool:
            await self.stack.get("/f/acme/nobody", headers=good)
            return PID_HEADER in self.at_invoker.headers

        await until(seen)

    @property
    def at_instance(self) -> Seen:
        return self.instance.seen[-1]

    @property
    def at_invoker(self) -> Seen:
        return self.stack.invoker.seen[-1]


@asynccontextmanager
async def world(access: Access) -> AsyncIterator[World]:
    async with stack(proof=PROOF) as made:
        about = World(made, await made.instance("one"))
        await about.admit(access)
        await about.trusts()
        yield about


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def for_alice() -> AsyncIterator[World]:
    """For tests that change nothing in it."""
    async with world(Access(pids=frozenset({ALICE, "u-carol"}))) as about:
        yield about


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def for_signed_in() -> AsyncIterator[World]:
    """Also for tests that change nothing in it."""
    async with world(Access(signed_in=True)) as about:
        yield about


async def test_an_admitted_caller_reaches_the_instance_which_learns_who_it_is_and_no_more(for_alice: World) -> None:
    assert await for_alice.who_answers(bearer(token())) == "one"
    seen = for_alice.at_instance.headers
    assert seen["x-ffx-user"] == ALICE
    assert seen["x-ffx-groups"] == "eng,ops"
    assert seen["x-ffx-email"] == f"{ALICE}@example.test"
    assert not {"authorization", "x-ffx-jti", "x-ffx-proof"} & seen.keys()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(token(BOB)),
        bearer(token(exp=int(time.time()) - 60)),
        bearer(token(nbf=int(time.time()) + 86_400, exp=int(time.time()) + 90_000)),  # made when tests are collected
        bearer(token(aud="ffx-cli")),
        bearer(token(iss="http://elsewhere.test/oidc")),
        bearer(token()[:-6] + "AAAAAA"),
        bearer("rubbish"),
        {"Authorization": "Basic YTpi"},
        {"X-Ffx-Pid": ALICE, "X-Ffx-User": ALICE},
        {"x_ffx_pid": ALICE},
    ],
    ids=lambda value: str(value)[:24],
)
async def test_everybody_else_is_the_invokers_with_what_they_showed(for_alice: World, headers: dict[str, str]) -> None:
    assert await for_alice.who_answers(headers) == "invoker"
    seen = for_alice.at_invoker
    assert seen.path == "/f/acme/hello/x", "as it came: the invoker finds the function by its path"
    assert seen.headers.get("authorization") == headers.get("Authorization")
    assert "x-ffx-function" not in seen.headers
    assert "x-ffx-proof" not in seen.headers
    assert seen.headers.get("x-ffx-pid") in (None, BOB)


async def test_no_one_is_admitted_without_a_rule() -> None:
    async with world(Access()) as about:
        assert await about.who_answers(bearer(token())) == "invoker"


async def test_the_signed_in_are_people_and_functions_and_tokens_only_by_name() -> None:
    async with world(Access(signed_in=True, pids=frozenset({"t-mine"}))) as about:
        for pid, who in (
            (ALICE, "one"),
            (BOB, "one"),
            ("f-acme.other", "one"),
            ("t-mine", "one"),
            ("t-narrow", "invoker"),
            ("s-service", "invoker"),
        ):
            assert await about.who_answers(bearer(token(pid))) == who, pid
        assert await about.who_answers() == "invoker"


async def test_a_public_function_takes_everybody_and_sees_only_tokens_that_are_not_ours() -> None:
    async with world(Access(public=True)) as about:
        assert await about.who_answers() == "one"
        assert "x-ffx-user" not in about.at_instance.headers
        assert await about.who_answers({"Authorization": "Basic YTpi"}) == "one"
        assert about.at_instance.headers["authorization"] == "Basic YTpi"
        assert await about.who_answers(bearer(token(BOB))) == "one"
        assert about.at_instance.headers["x-ffx-user"] == BOB
        assert "authorization" not in about.at_instance.headers
        assert await about.who_answers(bearer("of-another-system")) == "invoker", "which tells ours from others'"
        assert about.at_invoker.headers["authorization"] == "Bearer of-another-system"


async def test_a_full_instance_hands_the_call_over_with_the_proof_and_without_the_token() -> None:
    async with world(Access(pids=frozenset({ALICE}))) as about:
        about.instance.concurrency = 0
        assert await about.who_answers(bearer(token())) == "invoker"
        seen = about.at_invoker.headers
        assert seen["x-ffx-proof"] == PROOF
        assert (seen["x-ffx-pid"], seen["x-ffx-user"], seen["x-ffx-function"]) == (ALICE, ALICE, "hello")
        assert "authorization" not in seen


async def test_no_instance_ever_sees_the_proof() -> None:
    """The second try goes to the invoker, which is away; the third to an instance again."""
    async with world(Access(pids=frozenset({ALICE}))) as about:
        tries: list[dict[str, str]] = []

        async def full_twice(asked: Any) -> Any:
            from aiohttp import web

            tries.append({name.lower(): value for name, value in asked.headers.items()})
            overflow = {"x-ffx-overflow": "1"} if len(tries) < 3 else {}
            return web.Response(status=429 if overflow else 200, headers=overflow, text="one")

        about.instance.handler = full_twice
        await about.stack.invoker.die()
        assert await about.who_answers(bearer(token())) == "one"
        assert len(tries) == 3
        assert not [seen for seen in tries if "x-ffx-proof" in seen]


async def test_what_was_revoked_is_the_invokers_at_once() -> None:
    async with world(Access(pids=frozenset({ALICE, BOB}))) as about:
        stolen, other = token(jti="stolen"), token(jti="other")
        assert await about.who_answers(bearer(stolen)) == "one"
        await about.revoke(Revoked(frozenset({"stolen"})))

        async def diverted(text: str) -> bool:
            return await about.who_answers(bearer(text)) == "invoker"

        await until(lambda: diverted(stolen))
        assert await about.who_answers(bearer(other)) == "one"
        await about.revoke(Revoked(subjects=((ALICE, time.time()),)))
        await until(lambda: diverted(other))
        assert await about.who_answers(bearer(token(BOB))) == "one"
        await about.revoke(Revoked())

        async def back() -> bool:
            return await about.who_answers(bearer(other)) == "one"

        await until(back)


async def test_tokens_of_a_function_that_is_gone_reach_nobody_directly() -> None:
    """All tokens of a registration have one id, which is revoked with it. The next of that name has another."""
    async with world(Access(signed_in=True)) as about:
        old, new = (token("f-acme.other", kind="function", jti=function_jti(uid)) for uid in ("uid-1", "uid-2"))
        assert await about.who_answers(bearer(old)) == "one"
        await about.revoke(Revoked(frozenset({function_jti("uid-1")})))
        await until(lambda: _is_invokers(about, old))
        assert await about.who_answers(bearer(new)) == "one"


ODD: dict[str, str] = {
    "typ JWT": throwaway_keys().sign(claims(), "JWT"),
    **{f"header {name}": rs256(header(**change), claims()) for name, change in HEADERS.items()},
    **{f"no {name}": token(**{name: None}) for name in ("sub", "jti", "iat", "nbf", "kind")},
    "kind unknown": token(kind="root"),
    "kinds": token(kind=["access"]),
    "iat a text": token(iat="now"),
    "padded": token() + "==",
}


@pytest.mark.parametrize("odd", ODD)
async def test_tokens_that_hold_and_are_not_as_ours_are_the_invokers_to_refuse(for_signed_in: World, odd: str) -> None:
    assert await for_signed_in.who_answers(bearer(token())) == "one"
    assert await for_signed_in.who_answers(bearer(rs256(header(), claims()))) == "one", (
        "else the header's form is what is refused"
    )
    assert await for_signed_in.who_answers(bearer(ODD[odd])) == "invoker"
    assert "x-ffx-claims" not in for_signed_in.at_instance.headers


async def test_who_joins_and_who_leaves_is_so_without_the_lists_being_written() -> None:
    async with world(Access(pids=frozenset({ALICE}))) as about:
        lists = [about.stack.base.folder / file for file in (admission.ADMIT_FILE, admission.GUARD_FILE)]
        before = [file.stat().st_ino for file in lists]
        alice, bob = bearer(token()), bearer(token(BOB))
        assert (await about.who_answers(alice), await about.who_answers(bob)) == ("one", "invoker")
        for pids, who in (({BOB}, ("invoker", "one")), ({ALICE, BOB}, ("one", "one")), ({ALICE}, ("one", "invoker"))):
            await about.admit(Access(pids=frozenset(pids)))

            async def seen(who: tuple[str, str] = who) -> bool:
                return (await about.who_answers(alice), await about.who_answers(bob)) == who

            await until(seen)
        assert [file.stat().st_ino for file in lists] == before
        for odd in ("+", "-", "u-nobody"):
            assert await about.who_answers(bearer(token(odd, sub=odd))) == "invoker"


async def test_several_tokens_are_the_invokers_to_refuse(for_alice: World) -> None:
    lines = [f"Authorization: Bearer {token()}", f"Authorization: Bearer {token(BOB)}"]
    for order in (lines, lines[::-1]):
        answer = await send(for_alice.stack.envoy.port, request("/f/acme/hello", *order))
        assert answer.body == b"invoker"


async def test_a_token_in_the_query_or_a_cookie_is_none(for_alice: World) -> None:
    status, text = await for_alice.stack.get(f"/f/acme/hello?access_token={token()}")
    assert (status, text) == (200, "invoker")
    assert await for_alice.who_answers({"Cookie": f"access_token={token()}"}) == "invoker"


async def test_envoy_verifies_after_a_restart_without_anybody_to_ask() -> None:
    async with world(Access(pids=frozenset({ALICE}))) as about:
        await about.stack.gateway.close()
        await about.stack.envoy.stop()
        await about.stack.envoy.start()
        await about.who_answers(bearer(token()))
        assert about.at_invoker.headers["x-ffx-pid"] == ALICE


async def test_the_api_gets_the_token_itself() -> None:
    async with world(Access()) as about:
        mine = token()
        await about.stack.get("/functions", headers=bearer(mine))
        assert about.stack.api.seen[-1].headers["authorization"] == f"Bearer {mine}"


async def test_the_guard_holds_also_without_the_diversion() -> None:
    async with world(Access(pids=frozenset({ALICE}))) as about:
        everybody = only_for(admission.ADMIT_FILTER, elsewhere_script(ELSEWHERE), [])["typed_config"]
        del everybody["@type"]
        message = ParseDict(everybody, extension_matcher_pb2.ExtensionWithMatcher())
        file = about.stack.base.folder / admission.ADMIT_FILE
        discovered.write_message(file, admission.ADMIT_FILTER, message)

        async def refused() -> bool:
            return (await about.stack.get("/f/acme/hello", headers=bearer(token(BOB))))[0] == 403

        await until(refused)
        assert (await about.stack.get("/f/acme/hello"))[0] == 403
        assert await about.who_answers(bearer(token())) == "one"
        assert not [seen for seen in about.instance.seen if seen.headers.get("x-ffx-user") != ALICE]


async def test_keys_rotate_without_a_refused_call(tmp_path: Path) -> None:
    async with world(Access(pids=frozenset({ALICE}))) as about:
        fresh = SigningKeys(tmp_path / "keys")
        fresh.ensure()
        old, new = token(), fresh.sign(claims(), TOKEN_TYPE)
        both = {"keys": [*throwaway_keys().jwks()["keys"], *fresh.jwks()["keys"]]}
        for jwks, mine in ((both, old), (both, new), (fresh.jwks(), new)):
            issuers = (TrustedIssuer(ISSUER, AUDIENCE, json.dumps(jwks)),)
            await about.admit(Access(pids=frozenset({ALICE})), issuers=issuers)
            if mine is new and jwks is both:
                await until(lambda: _is_one(about, new))
            for _ in range(20):
                assert await about.who_answers(bearer(mine)) == "one"
        await until(lambda: _is_invokers(about, old))


async def _is_one(about: World, text: str) -> bool:
    return await about.who_answers(bearer(text)) == "one"


async def _is_invokers(about: World, text: str) -> bool:
    return await about.who_answers(bearer(text)) == "invoker"
