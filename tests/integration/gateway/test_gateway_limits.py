"""Bounds: bodies, headers, time, protocol versions; each answered with a problem."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from support import rawhttp
from support.envoy import revision, stack, table
from support.origin import until


async def test_a_body_that_is_announced_too_large_never_reaches_the_function() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, payload_bytes=1000)]))
        for path in ("/f/acme/a", "/f/acme/a/x", "/f/acme/a?x"):
            for length, status in ((1000, 200), (1001, 413)):
                answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, method="POST", body=b"x" * length))
                assert answer.status == status, (path, length)
                if status == 413:
                    assert answer.problem()["code"] == "payload-too-large"
        huge = rawhttp.request("/f/acme/a", f"Content-Length: {(1 << 63) - 2}", method="POST")
        assert (await rawhttp.send(world.envoy.port, huge)).status == 413
        assert len(instance.seen) == 3


async def test_without_a_bound_any_size_streams_through() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        counted = 0

        async def counts(request: web.BaseRequest) -> web.StreamResponse:
            nonlocal counted
            async for chunk in request.content.iter_chunked(1 << 20):
                counted += len(chunk)
            return web.Response(text=str(counted))

        instance.handler = counts
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, payload_bytes=None)]))

        async def endless() -> object:
            for _ in range(64):
                yield b"z" * (1 << 20)

        assert await world.call("POST", "/f/acme/a", data=endless()) == (200, str(64 << 20))
        counted = 0
        assert await world.call("POST", "/f/acme/a", data=b"z" * (20 << 20)) == (200, str(20 << 20))


async def test_a_runtimes_early_413_for_a_chunked_body_arrives() -> None:
    """A body without a length is counted by the runtime, which answers before it has read all of it."""
    async with stack() as world:
        instance = await world.instance("a")

        async def refuses(request: web.BaseRequest) -> web.StreamResponse:
            await request.content.readexactly(1000)
            return web.Response(status=413, text="too large", headers={"connection": "close"})

        instance.handler = refuses
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, payload_bytes=1000)]))
        async with asyncio.timeout(15):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
            writer.write(b"POST /f/acme/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(b"3e9\r\n" + b"x" * 1001 + b"\r\n")  # and no end
            answer = await rawhttp.read(reader)
            writer.close()
        assert (answer.status, answer.body) == (413, b"too large")


async def test_too_many_or_too_large_headers() -> None:
    async with stack() as world:
        for lines in ([f"X-H{number}: 1" for number in range(150)], ["X-Long: " + "y" * 70_000]):
            answer = await rawhttp.send(world.envoy.port, rawhttp.request("/functions", *lines))
            assert answer.status == 431
            assert answer.problem()["code"] == "bad-request"
        assert world.api.seen == []


async def test_a_client_that_never_ends_its_headers_is_let_go() -> None:
    async with stack(headers_timeout_s=0.3) as world, asyncio.timeout(15):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
        writer.write(b"GET /functions HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        answer = await rawhttp.read(reader)
        assert answer.status == 408
        assert answer.problem()["title"] == "The request took too long"
        assert await reader.read() == b""
        writer.close()


async def test_a_client_that_never_ends_its_body_is_let_go() -> None:
    async with stack() as world, asyncio.timeout(20):
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, timeout_s=0.2, hold_s=0.0)]))
        reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
        writer.write(b"POST /f/acme/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        answer = await rawhttp.read(reader)
        assert answer.status == 408
        answer.problem()
        writer.close()


async def test_a_kept_connection_without_requests_ends() -> None:
    async with stack(client_idle_s=0.3) as world, asyncio.timeout(15):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
        writer.write(b"GET /functions HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await rawhttp.read(reader)).status == 200
        assert await reader.read() == b""
        writer.close()


async def test_an_instance_that_never_answers_is_the_gateways_504_shortly_after_its_own() -> None:
    async with stack() as world:
        instance = await world.instance("a")

        async def never(request: web.BaseRequest) -> web.StreamResponse:
            await asyncio.Event().wait()  # never
            raise AssertionError

        instance.handler = never
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, timeout_s=0.1, hold_s=0.0)]))
        for method in ("GET", "POST"):
            started = asyncio.get_running_loop().time()
            answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/a", method=method))
            assert answer.status == 504
            assert answer.problem()["code"] == "deadline-exceeded"
            assert asyncio.get_running_loop().time() - started >= 5
        assert world.invoker.seen == [], "a deadline is not repeated elsewhere"


async def test_an_answer_may_last_longer_than_the_timeout_as_long_as_it_moves() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        go_on = asyncio.Event()

        async def slow(request: web.BaseRequest) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            for number in range(8):
                await answer.write(b"%d\n" % number)
                await asyncio.sleep(1)
            go_on.set()
            return answer

        instance.handler = slow
        await world.gateway.apply(table(1, acme_a=[revision(1, instance, timeout_s=0.1, hold_s=0.0)]))
        assert await world.get("/f/acme/a") == (200, "0\n1\n2\n3\n4\n5\n6\n7\n")


async def test_http_1_0_is_refused() -> None:
    async with stack() as world:
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/functions", version="HTTP/1.0"))
        assert answer.status == 426
        answer.problem()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /functions HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n",
        b"GET /functions HTTP/1.1\r\n\r\n",
        b"POST /functions HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /functions HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /functions HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_malformed_requests_are_problems_and_go_nowhere(data: bytes) -> None:
    async with stack() as world:
        answer = await rawhttp.send(world.envoy.port, data)
        assert answer.status == 400
        assert answer.problem()["code"] == "bad-request"
        assert world.api.seen == []


async def test_an_unknown_transfer_encoding_goes_nowhere() -> None:
    async with stack() as world:
        data = b"POST /functions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        answer = await rawhttp.send(world.envoy.port, data)
        assert answer.status in (400, 501)
        answer.problem()
        assert world.api.seen == []


async def test_beyond_the_connection_bound_new_ones_are_closed() -> None:
    async with stack(max_connections=5) as world, asyncio.timeout(15):
        kept = [await asyncio.open_connection("127.0.0.1", world.envoy.port) for _ in range(5)]

        async def is_full() -> bool:
            return await world.envoy.stat(f"listener.127.0.0.1_{world.envoy.port}.downstream_cx_active") == 5

        await until(is_full)
        reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
        assert await reader.read() == b""
        for _, each in [*kept, (reader, writer)]:
            each.close()


async def test_the_admin_interface_is_a_private_socket_only() -> None:
    async with stack() as world:
        assert world.base.admin_socket.stat().st_mode & 0o777 == 0o600
        assert world.base.ads_socket.stat().st_mode & 0o777 == 0o600
        listeners = await world.envoy.admin("/listeners")
        assert listeners.split() == [f"edge::127.0.0.1:{world.envoy.port}"]
