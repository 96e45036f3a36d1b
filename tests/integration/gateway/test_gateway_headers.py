"""What of a request's and an answer's headers passes, and what the gateway adds."""

from __future__ import annotations

import re

import pytest
from aiohttp import web
from multidict import CIMultiDict

from support import rawhttp
from support.envoy import Stack, revision, stack, table
from support.origin import Origin

SANDBOX = "sandbox allow-scripts allow-forms"
PATHS = ("/f/acme/live/x", "/f/acme/idle/x", "/functions")


async def live(world: Stack) -> Origin:
    instance = await world.instance("live")
    await world.gateway.apply(table(1, acme_live=[revision(4, instance)]))
    return instance


def behind(world: Stack, path: str) -> Origin:
    if path == "/functions":
        return world.api
    return next((origin for origin in world.origins if origin.name == "live" and "live" in path), world.invoker)


@pytest.mark.parametrize("path", PATHS)
async def test_what_only_the_platform_may_say_is_dropped_from_outside(path: str) -> None:
    async with stack() as world:
        await live(world)
        forged = (
            "X-Ffx-Function: admin",
            "x-ffx-revision: 99",
            "X-Ffx-Address: 192.0.2.1",
            "X-FFX-Overflow: 1",
            "X-Ffx-Vhost: other",
            "X-Ffx-Client-Id: x",
            "x-envoy-retry-on: 5xx",
            "x-envoy-upstream-rq-timeout-ms: 1",
            "x-envoy-original-path: /f/a/b",
            "X-Forwarded-Prefix: /evil",
            "Proxy-Authorization: Basic eA==",
            "Proxy-Connection: keep-alive",
            "Keep-Alive: timeout=1",
            "X_Ffx_Function: admin",
            "Under_Score: 1",
            "X-Mine: kept",
        )
        answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, *forged))
        assert answer.status == 200
        seen = behind(world, path).seen[-1].headers
        ours = {name: value for name, value in seen.items() if name.startswith("x-ffx-")}
        expected = {"x-ffx-namespace": "acme", "x-ffx-function": "live", "x-ffx-revision": "4"}
        assert ours == (expected if "live" in path else {"x-ffx-address": "127.0.0.1"})
        assert seen.get("x-forwarded-prefix") == ("/f/acme/live" if "live" in path else None)
        assert not [name for name in seen if name.startswith("x-envoy-") or "_" in name or name.startswith("proxy-")]
        assert "keep-alive" not in seen
        assert seen["x-mine"] == "kept"


async def test_headers_that_connection_names_go_no_further() -> None:
    async with stack() as world:
        instance = await live(world)
        data = b"GET /f/acme/live HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\nTE: trailers, gzip\r\n\r\n"
        answer = await rawhttp.send(world.envoy.port, data)
        assert answer.status == 200
        assert "x-hop" not in instance.seen[-1].headers
        assert instance.seen[-1].headers["x-stays"] == "1"
        assert "gzip" not in instance.seen[-1].headers.get("te", "")


@pytest.mark.parametrize("path", PATHS)
async def test_a_sane_request_id_is_taken_in_and_always_given_back(path: str) -> None:
    async with stack() as world:
        await live(world)
        for sane in ("abc", "A.b_c-9", "x" * 128, "0af7651916cd43dd8448eb211c80319c"):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, f"X-Request-Id: {sane}"))
            assert answer.headers["x-request-id"] == sane
            assert behind(world, path).seen[-1].headers["x-request-id"] == sane
        for bad in ("", "x" * 129, "a b", 'a"b', "a\xff", "../x", "a,b"):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, f"X-Request-Id: {bad}"))
            assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"]), bad
            assert behind(world, path).seen[-1].headers["x-request-id"] == answer.headers["x-request-id"]
        answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, "X-Request-Id: a", "X-Request-Id: b"))
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
        assert "x-ffx-client-id" not in behind(world, path).seen[-1].headers


async def test_a_refusal_carries_the_request_id_too() -> None:
    async with stack() as world:
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/a/../b", "X-Request-Id: mine-1"))
        assert answer.problem()["request_id"] == answer.headers["x-request-id"] == "mine-1"


async def test_trace_context_passes_and_the_caller_is_named() -> None:
    async with stack() as world:
        instance = await live(world)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        lines = (
            f"Traceparent: {trace}",
            "Tracestate: a=b",
            "X-Forwarded-Proto: https",
            "Authorization: Basic bWluZQ==",
        )
        await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/live", *lines))
        seen = instance.seen[-1].headers
        assert (seen["traceparent"], seen["tracestate"]) == (trace, "a=b")
        assert seen["x-forwarded-proto"] == "http", "what the connection is, not what the caller says"
        assert seen["x-forwarded-for"]
        assert seen["authorization"] == "Basic bWluZQ=="


@pytest.mark.parametrize("path", PATHS[:2])
async def test_answers_below_f_are_sandboxed_and_cannot_touch_the_origin(path: str) -> None:
    async with stack() as world:
        await live(world)

        async def bold(request: web.BaseRequest) -> web.StreamResponse:
            headers = CIMultiDict(
                [
                    ("Service-Worker-Allowed", "/"),
                    ("Clear-Site-Data", '"*"'),
                    ("Content-Security-Policy", "default-src 'self'"),
                    ("Set-Cookie", "mine=1; Path=/"),
                    ("Set-Cookie", "ffx_session=stolen; Path=/"),
                    ("Set-Cookie", "__Host-ffx=stolen; Secure; Path=/"),
                    ("Set-Cookie", "  FFX_x=1"),
                    ("Set-Cookie", "not_ffx_x=1"),
                    ("Set-Cookie", "=ffx_session=evil; Path=/"),
                    ("Set-Cookie", " = FFX_session=evil"),
                    ("Set-Cookie", "==ffx_x=1"),
                    ("Set-Cookie", "\t=\t__Host-ffx=evil"),
                    ("Set-Cookie", ";ffx_q=1"),
                    ("Set-Cookie", " ; =ffx_q=1"),
                    ("Set-Cookie", "ffx_q"),
                    ("Set-Cookie", "=nameless"),
                    ("Set-Cookie", "a=ffx_b=1"),
                    ("Set-Cookie", "ffx_y=\udcff"),
                    ("X-Ffx-Revision", "99"),
                    ("X-Ffx-Anything", "1"),
                    ("X-Envoy-Upstream-Service-Time", "1"),
                    ("Ffx-Revision", "99"),
                    ("Server", "mine"),
                    ("X-Powered-By", "me"),
                ]
            )
            return web.Response(text="bold", headers=headers)

        behind(world, path).handler = bold
        async with world.client.get(world.url + path) as got:
            assert got.status == 200
            assert got.headers.getall("content-security-policy") == ["default-src 'self'", SANDBOX]
            assert "service-worker-allowed" not in got.headers
            assert "clear-site-data" not in got.headers
            assert got.headers.getall("set-cookie") == ["mine=1; Path=/", "not_ffx_x=1", "=nameless", "a=ffx_b=1"]
            assert not [name for name in got.headers if name.lower().startswith(("x-ffx-", "x-envoy-"))]
            assert got.headers["server"] == "faasioflex"
            assert got.headers["x-powered-by"] == "me"
            if "live" in path:
                assert got.headers.getall("ffx-revision") == ["4"]


async def test_the_invokers_revision_and_timings_pass() -> None:
    async with stack(proof="s3cret") as world:

        async def serves(request: web.BaseRequest) -> web.StreamResponse:
            shown = {"Ffx-Revision": "12", "Server-Timing": "ffx-start;dur=31", "Ffx-Proof": "s3cret"}
            return web.Response(text="x", headers=shown)

        world.invoker.handler = serves
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/idle"))
        assert answer.headers["ffx-revision"] == "12"
        assert answer.headers["server-timing"] == "ffx-start;dur=31"
        assert "ffx-proof" not in answer.headers


@pytest.mark.parametrize("settings", [{"proof": "s3cret"}, {}, {"proof": "s3cret", "functions_host": "fn.test"}])
async def test_a_functions_own_timings_pass_and_forged_ones_do_not(settings: dict[str, str]) -> None:
    async with stack(**settings) as world:
        instance = await live(world)

        async def forges(request: web.BaseRequest) -> web.StreamResponse:
            answer = web.Response(text="x", headers={"Ffx-Proof": request.query.get("proof", "")})
            answer.headers.add("Server-Timing", "FFX-start;dur=1, db;dur=53")
            answer.headers.add("Server-Timing", " ffx-start;dur=2,app")
            return answer

        instance.handler = forges
        for proof in ("", "guess", "%73"):
            request = rawhttp.request(f"/f/acme/live?proof={proof}", host=settings.get("functions_host", "x"))
            answer = await rawhttp.send(world.envoy.port, request)
            assert answer.headers["server-timing"] == "db;dur=53, app"
            assert "ffx-proof" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("a=1", "a=1"),
        ("a=1; b=2;c=3", "a=1; b=2;c=3"),
        ("ffx_session=s", None),
        ("ffx_session=s; a=1", "a=1"),
        ("a=1; ffx_session=s; b=2", "a=1; b=2"),
        ("a=1;ffx_session=s;b=2; __Host-ffx_id=1", "a=1; b=2"),
        ("__Host-ffx=1; __host-FFX=2; __Secure-ffx=3; a=__Host-ffx", "a=__Host-ffx"),
        ("myffx_=1; ffx=2", "myffx_=1; ffx=2"),
        ("a=1; =ffx_session=s; = __Host-ffx=1;\t==FFX_x=1; ffx_y; =b", "a=1; =b"),
        ('q="x ffx_y=1"', 'q="x ffx_y=1"'),
    ],
)
async def test_platform_cookies_are_taken_out_of_calls(sent: str, seen: str | None) -> None:
    async with stack() as world:
        instance = await live(world)
        for path in PATHS:
            await rawhttp.send(world.envoy.port, rawhttp.request(path, f"Cookie: {sent}"))
        assert instance.seen[-1].headers.get("cookie") == seen
        assert world.invoker.seen[-1].headers.get("cookie") == seen
        assert world.api.seen[-1].headers.get("cookie") == sent, "the API has its own cookies"


async def test_cookies_in_several_headers() -> None:
    async with stack() as world:
        instance = await live(world)
        lines = ("Cookie: a=1", "Cookie: ffx_session=s", "Cookie: b=2; ffx_x=1")
        await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/live", *lines))
        assert instance.seen[-1].headers["cookie"] == "a=1; b=2"


async def test_platform_cookies_are_seen_in_what_is_not_utf8() -> None:
    async with stack() as world:
        instance = await live(world)
        await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/live", "Cookie: a=1; ffx_session=\xff"))
        assert instance.seen[-1].headers["cookie"] == "a=1"


async def test_the_api_answers_as_it_does() -> None:
    async with stack() as world:

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(
                text="x", headers={"Set-Cookie": "ffx_session=1", "Content-Security-Policy": "default-src 'self'"}
            )

        world.api.handler = answer
        got = await rawhttp.send(world.envoy.port, rawhttp.request("/"))
        assert got.headers["set-cookie"] == "ffx_session=1"
        assert got.headers["content-security-policy"] == "default-src 'self'"
