"""Nothing is held back: server-sent events, chunked bodies in both directions, WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from support import rawhttp
from support.envoy import Stack, revision, stack, table
from support.origin import Origin

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def live(world: Stack, name: str = "live", **fields: float) -> Origin:
    instance = await world.instance(name)
    await world.gateway.apply(table(1, acme_live=[revision(1, instance, **fields)]))
    return instance


@pytest.mark.parametrize("path", ["/f/acme/live", "/f/acme/idle", "/functions/x/logs"])
async def test_each_event_arrives_when_it_is_sent(path: str) -> None:
    async with stack() as world:
        await live(world)
        taken = asyncio.Queue[str]()

        async def events(request: web.BaseRequest) -> web.StreamResponse:
            answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await answer.prepare(request)
            for number in range(3):
                await answer.write(f"data: {number}\n\n".encode())
                assert await taken.get() == f"data: {number}"  # only then the next one
            return answer

        for origin in world.origins:
            origin.handler = events
        async with asyncio.timeout(15), world.client.get(world.url + path) as got:
            async for line in got.content:
                if line.strip():
                    taken.put_nowait(line.decode().strip())


@pytest.mark.parametrize("path", ["/f/acme/live", "/f/acme/idle"])
async def test_a_request_body_arrives_piece_by_piece(path: str) -> None:
    async with stack() as world:
        await live(world)
        arrived = asyncio.Queue[bytes]()

        async def reads(request: web.BaseRequest) -> web.StreamResponse:
            async for chunk in request.content.iter_any():
                arrived.put_nowait(chunk)
            return web.Response(text="done")

        for origin in world.origins:
            origin.handler = reads

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d" % number
                async with asyncio.timeout(10):
                    assert await arrived.get() == b"%d" % number

        assert await world.call("POST", path, data=pieces()) == (200, "done")


@pytest.mark.parametrize("path", ["/f/acme/live/ws", "/f/acme/idle/ws"])
async def test_websocket_both_ways(path: str) -> None:
    async with stack() as world:
        await live(world)
        for origin in world.origins:
            origin.handler = echo
        async with world.client.ws_connect(world.url + path, protocols=("chat",)) as socket:
            assert socket.protocol == "chat"
            for number in range(3):
                await socket.send_str(f"hi {number}")
                assert await socket.receive_str(timeout=10) == f"hi {number}"
            await socket.send_bytes(b"\x00" * 200_000)
            assert await socket.receive_bytes(timeout=10) == b"\x00" * 200_000


@pytest.mark.parametrize("path", ["/f/acme/live/ws", "/f/acme/idle/ws"])
@pytest.mark.parametrize("status", [200, 204, 302])
async def test_a_handshake_that_is_answered_as_an_ordinary_request_is_a_problem(path: str, status: int) -> None:
    async with stack() as world:
        await live(world)

        async def plain(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=status, headers={"set-cookie": "ffx_session=1"})

        for origin in world.origins:
            origin.handler = plain
        answer = await rawhttp.send(world.envoy.port, rawhttp.request(path, *HANDSHAKE))
        assert answer.status == 502
        problem = answer.problem()
        assert (problem["code"], problem["status"]) == ("function-error", 502)
        assert "WebSocket" in problem["detail"]
        assert "set-cookie" not in answer.headers


async def test_a_refused_handshake_arrives_as_it_is() -> None:
    async with stack() as world:
        instance = await live(world)

        async def refuses(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=401, text="who are you")

        instance.handler = refuses
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/live/ws", *HANDSHAKE))
        assert (answer.status, answer.body) == (401, b"who are you")


async def test_a_websocket_to_a_full_instance_goes_to_the_invoker() -> None:
    async with stack() as world:
        full = await live(world)
        full.concurrency = 0
        world.invoker.handler = echo
        async with world.client.ws_connect(world.url + "/f/acme/live/ws") as socket:
            await socket.send_str("hi")
            assert await socket.receive_str(timeout=10) == "hi"


async def test_a_silent_websocket_ends_with_the_idle_time() -> None:
    async with stack() as world:
        instance = await live(world, timeout_s=0.1, hold_s=0.0)
        instance.handler = echo
        async with world.client.ws_connect(world.url + "/f/acme/live/ws") as socket:
            message = await socket.receive(timeout=20)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


async def test_scaling_and_traffic_changes_leave_a_websocket_alone() -> None:
    """Clusters and the listener are never pushed again: scale is endpoints, traffic is routes."""
    async with stack() as world:
        instance = await live(world)
        instance.handler = echo
        other, canary = await world.instance("other"), await world.instance("canary")
        async with world.client.ws_connect(world.url + "/f/acme/live/ws") as socket:

            async def still() -> None:
                await socket.send_str("hi")
                assert await socket.receive_str(timeout=10) == "hi"

            await still()
            for number, revisions in enumerate(
                (
                    [revision(1, instance, other)],
                    [revision(1, other)],
                    [revision(1, other, percent=50), revision(2, canary, percent=50)],
                    [revision(2, canary, timeout_s=99.0, payload_bytes=1)],
                ),
                2,
            ):
                await world.gateway.apply(table(number, acme_live=revisions))
                await still()
            await world.gateway.apply(table(9))
            await still()
        assert await world.envoy.stat("cluster_manager.cluster_modified") == 0
        assert await world.envoy.stat("listener_manager.listener_modified") == 0


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket
