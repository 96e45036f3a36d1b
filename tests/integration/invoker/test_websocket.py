"""WebSockets through the invoker, to a real uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.function import Limits
from support.asgi_process import AsgiProcess, asgi_process
from support.deadline import eventually
from support.invoker_world import World, world

MIB = 1 << 20


@pytest.fixture
async def instance(here: World) -> AsyncIterator[AsgiProcess]:
    async with asgi_process(here.folder, "ws") as made:
        await here.route("hello")
        await here.add_endpoint("hello", 1, made.endpoint)
        yield made


def connect(here: World, path: str = "/", **how: object) -> unix_connect:
    url = f"ws://functions/f/acme/hello{path}"
    return unix_connect(str(here.socket), url, max_size=None, additional_headers=here.headers(), **how)  # type: ignore[arg-type]


async def closed(socket: ClientConnection) -> tuple[int | None, str]:
    await asyncio.wait_for(socket.wait_closed(), 10)
    return socket.close_code, socket.close_reason or ""


async def test_messages_pings_and_subprotocols_pass(here: World, instance: AsgiProcess) -> None:
    async with connect(here, "/a%2Fb?x=1", subprotocols=["one", "two"]) as socket:
        assert socket.subprotocol == "two"
        assert socket.response is not None
        assert socket.response.headers["x-path"] == "/a%2Fb"
        assert socket.response.headers["Ffx-Revision"] == "1"
        await socket.send("text")
        assert await socket.recv() == "text"
        await socket.send(b"\x00bytes")
        assert await socket.recv() == b"\x00bytes"
        await asyncio.wait_for(await socket.ping(), 5)


async def test_a_frame_of_8_mib_passes_both_ways(here: World, instance: AsgiProcess) -> None:
    async with connect(here, compression=None) as socket:
        big = bytes(range(256)) * (8 * MIB // 256)
        await socket.send(big)
        assert await asyncio.wait_for(socket.recv(), 20) == big


async def test_close_codes_pass_in_both_directions(here: World, instance: AsgiProcess) -> None:
    async with connect(here) as socket:
        await socket.send("close 4321")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert await closed(socket) == (4321, "as asked")
    async with connect(here) as socket:
        await socket.close(4007, "bye")
    await eventually(lambda: "websocket closed 4007" in instance.log.read_text(), "the instance sees the code")


async def test_a_killed_instance_is_no_clean_close(here: World, instance: AsgiProcess) -> None:
    async with connect(here) as socket:
        await instance.kill()
        assert (await closed(socket))[0] == 1006


async def test_a_client_that_vanishes_ends_it_for_the_instance(here: World, instance: AsgiProcess) -> None:
    async with connect(here) as socket:
        socket.transport.abort()
    await eventually(lambda: "websocket closed" in instance.log.read_text(), "the instance sees it")
    await eventually(lambda: not here.invoker._lanes.loads(), "the place is free")


async def test_a_stop_closes_with_1001(here: World, instance: AsgiProcess) -> None:
    async with connect(here) as socket, connect(here) as other:
        await socket.send("x")
        assert await socket.recv() == "x"
        stopping = asyncio.create_task(here.invoker.stop(5))
        assert (await closed(socket))[0] == 1001
        assert (await closed(other))[0] == 1001
        await asyncio.wait_for(stopping, 5)
    await eventually(lambda: "websocket closed 1001" in instance.log.read_text(), "the instance is told too")


async def test_an_idle_one_is_closed_after_the_functions_timeout() -> None:
    async with world(bounds=replace(Bounds(), deadline_slack_s=0.1)) as here, asgi_process(here.folder, "ws") as made:
        await here.route("hello", limits=Limits(timeout_s=2))
        await here.add_endpoint("hello", 1, made.endpoint)
        async with connect(here, ping_interval=None) as socket:
            for _ in range(8):  # longer than the timeout in all, never idle for so long
                await socket.send("x")
                assert await socket.recv() == "x"
                await asyncio.sleep(0.3)
            assert (await closed(socket))[0] == 1001


async def test_it_waits_for_a_start_like_any_call(here: World) -> None:
    async with asgi_process(here.folder, "late") as made:
        await here.route("hello")

        async def wake(_: object) -> None:
            await here.add_endpoint("hello", 1, made.endpoint)

        here.on_wake = wake
        async with connect(here) as socket:
            await socket.send("x")
            assert await socket.recv() == "x"
        assert len(here.wakes) == 1


async def test_an_instance_that_does_not_speak_websocket_answers_as_it_does(here: World) -> None:
    await here.route("hello", await here.instance())
    with pytest.raises(InvalidStatus) as refused:
        async with connect(here):
            pass
    assert refused.value.response.status_code == 200
    assert (await here.call())[0] == 200
