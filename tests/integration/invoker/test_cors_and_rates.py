"""For functions without instances: what the gateway does for those that have some."""

from __future__ import annotations

import pytest
from aiohttp import web

from faasioflex.bus.buckets import QUOTAS
from faasioflex.model.function import Cors, RateLimit
from faasioflex.model.identity import Quota
from support.deadline import eventually
from support.invoker_world import GATEWAY, World

SITE = "https://app.example.org"
ASKS = {"Origin": SITE, "Access-Control-Request-Method": "POST"}


async def test_a_preflight_needs_no_token_and_starts_nothing(here: World) -> None:
    here.token = None
    await here.route("hello", cors=Cors((SITE,), ("GET", "POST"), ("X-A",), ("X-B",), True, 60))
    async with here.request("OPTIONS", "/f/acme/hello", headers=ASKS) as got:
        assert got.status == 200
        assert got.headers["Access-Control-Allow-Origin"] == SITE
        assert got.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert got.headers["Access-Control-Allow-Headers"] == "X-A"
        assert got.headers["Access-Control-Allow-Credentials"] == "true"
        assert got.headers["Access-Control-Max-Age"] == "60"
    assert here.wakes == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "null", SITE + ".evil.org", "http://app.example.org", ""]
)
async def test_another_site_gets_the_answer_of_everybody(here: World, origin: str) -> None:
    here.token = None
    await here.route("hello", cors=Cors((SITE,)))
    async with here.request("OPTIONS", "/f/acme/hello", headers=ASKS | {"Origin": origin}) as got:
        assert got.status == 401
        assert "Access-Control-Allow-Origin" not in got.headers


async def test_an_answer_says_who_may_read_it_whatever_the_function_says(here: World) -> None:
    async def says(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hi", headers={"Access-Control-Allow-Origin": "*"})

    await here.route("hello", await here.instance(behaviour=says), cors=Cors((SITE,), expose_headers=("X-B",)))
    async with here.request("GET", "/f/acme/hello", headers={"Origin": SITE}) as got:
        assert got.headers.getall("Access-Control-Allow-Origin") == [SITE]
        assert got.headers["Access-Control-Expose-Headers"] == "X-B"
    named = {**GATEWAY, "x-ffx-namespace": "acme", "x-ffx-function": "hello", "Origin": SITE}
    async with here.request("GET", "/", headers=named) as got:
        assert got.headers.getall("Access-Control-Allow-Origin") == ["*"], "there the gateway sees to it"


async def test_execute_and_nats_are_counted_and_the_direct_path_is_the_gateways(here: World) -> None:
    await here.route("hello", await here.instance(), rate_limit=RateLimit(calls_per_minute=2))
    body = {"function": "acme/hello"}
    async with here.request("POST", "/.ffx/execute", json=body) as got:
        assert got.status == 200
    assert (await here.call_over_bus("hello", b"1"))["status"] == "succeeded"
    refused = await here.problem("POST", "/.ffx/execute", json=body)
    assert (refused["status"], refused["code"]) == (429, "rate-limited")
    assert refused["retry_after"] == "30"
    over_bus = await here.call_over_bus("hello", b"1")
    assert (over_bus["error"]["code"], over_bus["error"]["http_status"]) == ("rate-limited", 429)
    assert (await here.call())[0] == 200


async def test_a_namespaces_quota_is_named(here: World) -> None:
    await here.route("hello", await here.instance())
    await here.bus.bucket(QUOTAS.name, Quota).put("acme", Quota(calls_per_minute=1))
    await eventually(lambda: "acme" in here.invoker._quotas.entries, "it is known")
    assert (await here.call_over_bus("hello", b"1"))["status"] == "succeeded"
    assert "quota calls_per_minute" in (await here.call_over_bus("hello", b"1"))["error"]["message"]


async def test_who_may_not_call_counts_for_nobody(here: World) -> None:
    await here.route("hello", await here.instance(), rate_limit=RateLimit(calls_per_minute=1))
    admin, here.token = here.token, None
    for _ in range(3):
        assert (await here.problem("POST", "/.ffx/execute", json={"function": "acme/hello"}))["status"] == 401
    here.token = admin
    async with here.request("POST", "/.ffx/execute", json={"function": "acme/hello"}) as got:
        assert got.status == 200
