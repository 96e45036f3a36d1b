"""Which part of the platform a path reaches, tricks included."""

from __future__ import annotations

import pytest

from support import rawhttp
from support.envoy import revision, stack, table


async def test_a_live_function_is_reached_directly_and_sees_what_follows_its_name() -> None:
    async with stack() as world:
        hello = await world.instance("hello")
        await world.gateway.apply(table(1, acme_hello=[revision(3, hello)]))
        for path, seen in (
            ("/f/acme/hello", "/"),
            ("/f/acme/hello?q=1&q=2", "/?q=1&q=2"),
            ("/f/acme/hello/", "/"),
            ("/f/acme/hello/a/b?c=/../d", "/a/b?c=/../d"),
            ("/f/acme/hello/a%2Fb%20c/%E2%82%AC", "/a%2Fb%20c/%E2%82%AC"),
            ("/f/acme/hello//x//y", "//x//y"),
            ("/f/acme/hello/...", "/..."),
            ("/f/acme/hello/a..b/.c", "/a..b/.c"),
            ("/f/acme/hello/%252e%252e/x", "/%252e%252e/x"),
        ):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path))
            assert (answer.status, answer.body) == (200, b"hello"), path
            assert hello.seen[-1].path == seen
            assert hello.seen[-1].headers["x-forwarded-prefix"] == "/f/acme/hello"
            named = {name: value for name, value in hello.seen[-1].headers.items() if name.startswith("x-ffx-")}
            assert named == {"x-ffx-namespace": "acme", "x-ffx-function": "hello", "x-ffx-revision": "3"}
            assert answer.headers["ffx-revision"] == "3"


async def test_a_name_that_another_name_begins_with_stays_its_own() -> None:
    async with stack() as world:
        live = await world.instance("x")
        await world.gateway.apply(table(1, acme_x=[revision(1, live)]))
        for path in (
            "/f/acme/x2",
            "/f/acme/x2/",
            "/f/acme/x2?a",
            "/f/acme/x-",
            "/f/acme/x.y/",
            "/f/acme/x%2f",
            "/f/acme/x;a",
        ):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path))
            assert answer.body == b"invoker", path
            assert world.invoker.seen[-1].path == path
            assert "x-ffx-function" not in world.invoker.seen[-1].headers
        assert live.seen == []


async def test_two_live_neighbours_each_get_their_own() -> None:
    async with stack() as world:
        one, two = await world.instance("one"), await world.instance("two")
        await world.gateway.apply(table(1, acme_x=[revision(1, one)], acme_x2=[revision(1, two)]))
        for path, name in (
            ("/f/acme/x", "one"),
            ("/f/acme/x2", "two"),
            ("/f/acme/x2/a", "two"),
            ("/f/acme/x?2", "one"),
        ):
            assert await world.get(path) == (200, name)


@pytest.mark.parametrize("live", [True, False])
async def test_a_path_that_can_be_read_in_two_ways_is_refused(live: bool) -> None:
    async with stack() as world:
        one, two = await world.instance("one"), await world.instance("two")
        if live:
            await world.gateway.apply(table(1, acme_a=[revision(1, one)], acme_b=[revision(1, two)]))
        for path in (
            "/f/acme/a/../b",
            "/f/acme/a/..",
            "/f/acme/a/../../../functions",
            "/f/acme/a/%2e%2e/b",
            "/f/acme/a/%2E./b",
            "/f/acme/a/.%2e/b",
            "/f/acme/a%2f..%2fb",
            "/f/acme/a/x%2F%2e%2E%2Fy",
            "/f/acme/a/./b",
            "/f/acme/a/%2e/",
            "/f/acme/a/..;/b",
            "/f/acme/a\\..\\b",
            "/f/acme/a/%5c..%5Cb",
            "/f\\acme\\a",
            "/f/acme/a/..?x",
            "/f/acme/a/%00",
            "/functions%00",
            "/f/../functions",
            "/../functions",
            "/functions/acme/../b",
            "/./functions",
        ):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path))
            assert answer.status == 400, path
            assert answer.problem()["code"] == "bad-request"
        for origin in (one, two, world.api, world.invoker):
            assert origin.seen == []


async def test_other_spellings_reach_nobody_they_should_not() -> None:
    async with stack() as world:
        one = await world.instance("one")
        await world.gateway.apply(table(1, acme_a=[revision(1, one)]))
        for path, part in (
            ("//f/acme/a", "api"),
            ("/F/acme/a", "api"),
            ("/%66/acme/a", "api"),
            ("/f%2facme/a", "api"),
            ("/f//acme/a", "invoker"),
            ("/f/acme%2fa", "invoker"),
            ("/f/acme//a", "invoker"),
            ("/f/%61cme/a", "invoker"),
            ("/f/ACME/a", "invoker"),
            ("/f/acme/%61", "invoker"),
            ("/f", "api"),
            ("/f/", "invoker"),
            ("/fx/acme/a", "api"),
        ):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(path))
            assert answer.body.decode() == part, path
            origin = world.api if part == "api" else world.invoker
            assert origin.seen[-1].path == path, "it goes on as it came"
        assert one.seen == []


async def test_control_characters_never_get_through() -> None:
    async with stack() as world:
        one = await world.instance("one")
        await world.gateway.apply(table(1, acme_a=[revision(1, one)]))
        for raw in ("\x00", "\x01", "\x1f", "\x7f", "\t"):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request(f"/f/acme/a/{raw}x"))
            assert answer.status == 400, repr(raw)
        assert one.seen == []


async def test_absolute_form_is_its_path() -> None:
    async with stack() as world:
        one = await world.instance("one")
        await world.gateway.apply(table(1, acme_a=[revision(1, one)]))
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("http://other.test/f/acme/a/x"))
        assert (answer.status, answer.body) == (200, b"one")
        assert one.seen[-1].path == "/x"
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("http://other.test/f/acme/a/../b"))
        assert answer.status == 400


async def test_connect_and_trace_are_refused_with_and_without_live_functions() -> None:
    async with stack() as world:
        one = await world.instance("one")
        for _ in range(2):
            for method, path, status in (
                ("CONNECT", "gateway.test:443", 404),
                ("TRACE", "/f/acme/a", 405),
                ("TRACE", "/functions", 405),
            ):
                answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, method=method))
                assert answer.status == status
                assert answer.problem()["code"] in ("not-found", "method-not-allowed")
            await world.gateway.apply(table(1, acme_a=[revision(1, one)]))
        assert one.seen == world.api.seen == world.invoker.seen == []


async def test_functions_with_a_host_of_their_own_answer_there_only_and_unsandboxed() -> None:
    async with stack(functions_host="fn.test") as world:
        one = await world.instance("one")
        await world.gateway.apply(table(1, acme_a=[revision(1, one)]))

        async def ask(host: str, path: str) -> rawhttp.Answer:
            data = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: ffx_s=1\r\nConnection: close\r\n\r\n"
            return await rawhttp.send(world.envoy.port, data.encode())

        for host in ("fn.test", "FN.test:8080"):
            for path, name in (("/f/acme/a/x", b"one"), ("/f/acme/idle", b"invoker")):
                answer = await ask(host, path)
                assert (answer.status, answer.body) == (200, name)
                assert "content-security-policy" not in answer.headers
            assert (await ask(host, "/functions")).status == 404
        for path in ("/f/acme/a", "/f/acme/a/x", "/f/acme/a?x", "/f/acme/idle"):
            assert (await ask("console.test", path)).status == 404
        assert (await ask("console.test", "/functions")).body == b"api"
        assert (await ask("fnxtest", "/f/acme/a")).status == 404
