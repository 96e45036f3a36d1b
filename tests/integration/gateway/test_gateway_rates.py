"""Rate limits and CORS of functions, and which tokens are seen in use: a real Envoy."""

from __future__ import annotations

import json
from typing import Any

from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.identity.access import Access
from faasioflex.identity.claims import AUDIENCE
from faasioflex.model.function import Cors, RateLimit
from faasioflex.model.names import FunctionName
from support.envoy import Stack, revision, stack
from support.identity import ISSUER, throwaway_keys
from support.origin import Origin, until
from support.platform_tokens import bearer, token

EVERYBODY = Access(public=True)
SITE = "https://app.example.com"


def hello(instance: Origin, access: Access = EVERYBODY, **fields: Any) -> TableFunction:
    return TableFunction(FunctionName("acme", "hello"), access, (revision(1, instance),), **fields)


async def apply(made: Stack, number: int, *functions: TableFunction) -> None:
    issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(throwaway_keys().jwks()))
    await made.gateway.apply(RouteTable(number, functions, issuers=(issuer,)))


async def limited(made: Stack, headers: dict[str, str] | None = None) -> None:
    """Return once a call is answered 429: the filters' files are read within a moment, and buckets are small."""

    async def refused() -> bool:
        return (await made.get("/f/acme/hello", headers=headers or {}))[0] == 429

    await until(refused)


async def test_a_function_takes_so_many_calls_and_says_when_to_come_again() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one, rate_limit=RateLimit(calls_per_minute=6, burst=2)))
        await limited(made)
        async with made.client.get(made.url + "/f/acme/hello") as got:
            problem = await got.json(content_type=None)
            assert (got.status, got.headers["retry-after"]) == (429, "10")
            assert got.headers["content-type"] == "application/problem+json"
            assert not [name for name in got.headers if name.lower().startswith("x-ffx-")]
        assert problem["code"] == "rate-limited"
        assert "this function (rate_limit.calls_per_minute)" in problem["detail"]


async def test_a_change_of_another_function_fills_no_bucket_and_the_limit_goes_in_place() -> None:
    async with stack() as made:
        one = await made.instance("one")
        slow = hello(one, rate_limit=RateLimit(calls_per_minute=1))
        await apply(made, 1, slow)
        await limited(made)
        other = TableFunction(FunctionName("acme", "other"), EVERYBODY, (revision(1, one),))
        await apply(made, 2, slow, other)
        assert (await made.get("/f/acme/other"))[0] == 200
        assert (await made.get("/f/acme/hello"))[0] == 429
        await apply(made, 3, hello(one), other)
        assert (await made.get("/f/acme/hello"))[0] == 200


async def test_each_caller_has_a_bound_of_their_own_and_the_nameless_one_by_address() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one, rate_limit=RateLimit(per_caller_per_minute=2)))
        alice, bob = bearer(token("u-alice")), bearer(token("u-bob"))
        await limited(made, alice)
        assert (await made.get("/f/acme/hello", headers=bob))[0] == 200
        assert (await made.get("/f/acme/hello"))[0] == 200
        await limited(made)
        status, text = await made.get("/f/acme/hello", headers={"X-Ffx-Pid": "u-carol"})
        assert status == 429
        assert "one caller (rate_limit.per_caller_per_minute)" in json.loads(text)["detail"]


async def test_a_namespaces_quota_is_one_for_all_its_functions() -> None:
    async with stack() as made:
        one = await made.instance("one")
        other = TableFunction(FunctionName("acme", "other"), EVERYBODY, (revision(1, one),), namespace_per_minute=2)
        await apply(made, 1, hello(one, namespace_per_minute=2), other)
        await limited(made)
        status, text = await made.get("/f/acme/other")
        assert status == 429
        assert "its namespace (the quota calls_per_minute)" in json.loads(text)["detail"]


async def test_who_may_not_call_is_not_told_of_a_limit() -> None:
    async with stack() as made:
        one = await made.instance("one")
        mine = Access(pids=frozenset({"u-alice"}))
        await apply(made, 1, hello(one, mine, rate_limit=RateLimit(calls_per_minute=1)))
        await limited(made, bearer(token("u-alice")))
        for headers in ({}, bearer(token("u-bob"))):
            assert await made.get("/f/acme/hello", headers=headers) == (200, "invoker")


PREFLIGHT = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
CORS = Cors((SITE,), ("GET", "POST"), ("Authorization", "Content-Type"), ("X-Total",), max_age_s=77)


async def preflight(made: Stack, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    async with made.client.options(made.url + "/f/acme/hello/x", headers=headers) as got:
        named = {name.lower(): value for name, value in got.headers.items()}
        return got.status, named, await got.text()


async def test_preflights_are_answered_the_same_with_and_without_instances() -> None:
    async with stack() as made:
        one = await made.instance("one")
        nobody = Access()
        answers = []
        for number, revisions in enumerate(((revision(1, one),), ())):
            await apply(made, number + 1, TableFunction(FunctionName("acme", "hello"), nobody, revisions, CORS))
            status, headers, _ = await preflight(made, PREFLIGHT)
            answers.append((status, {k: v for k, v in headers.items() if k.startswith(("access-", "content-sec"))}))
        assert answers[0] == answers[1]
        status, headers = answers[0]
        assert status == 200
        assert headers["access-control-allow-origin"] == SITE
        assert headers["access-control-allow-methods"] == "GET, POST"
        assert headers["access-control-allow-headers"] == "Authorization, Content-Type"
        assert headers["access-control-max-age"] == "77"
        assert one.seen == []
        assert made.invoker.seen == []


async def test_another_site_gets_nothing_and_no_preflight() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one, cors=CORS))
        for site in ("https://evil.example.com", "null", "https://app.example.com.evil.test", "http://app.example.com"):
            status, headers, text = await preflight(made, {**PREFLIGHT, "Origin": site})
            assert (status, text) == (200, "one"), "an ordinary call"
            assert "access-control-allow-origin" not in headers


async def test_answers_say_who_may_read_them_whatever_the_function_says() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one, cors=CORS))
        async with made.client.get(made.url + "/f/acme/hello", headers={"Origin": SITE}) as got:
            assert got.headers.getall("access-control-allow-origin") == [SITE]
            assert got.headers["access-control-expose-headers"] == "X-Total"
            assert "access-control-allow-credentials" not in got.headers
            assert "origin" in got.headers["vary"].lower()


async def test_the_api_takes_no_calls_of_other_sites() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one, cors=CORS))
        async with made.client.options(made.url + "/functions", headers=PREFLIGHT) as got:
            assert await got.text() == "api"
            assert "access-control-allow-origin" not in got.headers


async def test_tokens_in_use_are_told_of_once_in_a_while_and_people_never() -> None:
    async with stack() as made:
        one = await made.instance("one")
        await apply(made, 1, hello(one))
        told: list[str] = []

        async def used() -> bool:
            for pid in ("u-alice", "t-mine", "s-robot", "f-acme.other"):
                await made.get("/f/acme/hello", headers=bearer(token(pid)))
            told.extend(made.gateway.uses())
            return len(told) >= 2

        await until(used)
        assert sorted(told) == ["s-robot", "t-mine"]
