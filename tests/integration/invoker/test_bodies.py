"""Request bodies: kept where they are small, streamed where they are not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from faasioflex.model.function import Limits
from support.asgi_process import asgi_process
from support.deadline import eventually
from support.invoker_world import World

MIB = 1 << 20
LARGE = Limits(payload_bytes=None, timeout_s=60)


async def pieces(count: int, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    piece = bytes(range(256)) * (size // 256)
    for _ in range(count):
        yield piece


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


async def test_64_mib_stream_both_ways_with_flat_memory(here: World) -> None:
    async with asgi_process(here.folder, "a") as instance:
        await here.route("hello", limits=LARGE)
        await here.add_endpoint("hello", 1, instance.endpoint)
        async with here.request("POST", "/f/acme/hello/count", data=pieces(16)) as got:  # warms up
            assert (await got.json())["size"] == MIB
        before = peak_bytes()
        async with here.request("POST", "/f/acme/hello/count", data=pieces(1024)) as got:
            assert (await got.json())["size"] == 64 * MIB
        size, digest = 0, hashlib.sha256()
        async with here.request("POST", "/f/acme/hello/echo", data=pieces(1024)) as got:
            async for piece in got.content.iter_any():
                size += len(piece)
                digest.update(piece)
        assert size == 64 * MIB
        expected = hashlib.sha256()
        async for piece in pieces(1024):
            expected.update(piece)
        assert digest.hexdigest() == expected.hexdigest()
        assert peak_bytes() - before < 16 * MIB


async def test_a_large_body_is_sent_only_when_the_instance_has_room(here: World) -> None:
    """It can be sent once: a full instance says so before it gets it, and the call goes to another or waits."""
    async with asgi_process(here.folder, "a", concurrency=1) as instance:
        await here.route("hello", limits=LARGE)
        await here.add_endpoint("hello", 1, instance.endpoint)
        sleeping = asyncio.create_task(here.call("GET", "/f/acme/hello/sleep"))
        await eventually(here.invoker._lanes.loads, "it sleeps")
        uploads = [asyncio.create_task(here.call("POST", "/f/acme/hello/count", data=pieces(48))) for _ in range(3)]
        await eventually(lambda: here.invoker._admission.total >= 2, "they wait")
        sleeping.cancel()
        for upload in uploads:
            status, body = await upload
            assert (status, json.loads(body)["size"]) == (200, 3 * MIB)


async def test_a_large_body_finds_another_when_the_instance_is_dead(here: World) -> None:
    async with asgi_process(here.folder, "a") as first, asgi_process(here.folder, "b") as second:
        await here.route("hello", limits=LARGE)
        await here.add_endpoint("hello", 1, first.endpoint)
        await here.add_endpoint("hello", 1, second.endpoint)
        await first.kill()
        for _ in range(3):
            status, body = await here.call("POST", "/f/acme/hello/count", data=pieces(48))
            assert (status, json.loads(body)["size"]) == (200, 3 * MIB)


async def test_a_body_over_the_limit_is_413(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance, limits=Limits(payload_bytes=100))
    assert (await here.call("POST", data=b"x" * 100))[0] == 200
    problem = await here.problem("POST", data=b"x" * 101)
    assert (problem["status"], problem["code"]) == (413, "payload-too-large")
    problem = await here.problem("POST", data=pieces(1))  # no length declared
    assert problem["code"] == "payload-too-large"
    assert len(instance.seen) == 1


async def test_a_streamed_body_is_stopped_at_the_limit(here: World) -> None:
    async with asgi_process(here.folder, "a") as instance:
        await here.route("hello", limits=Limits(payload_bytes=3 * MIB))
        await here.add_endpoint("hello", 1, instance.endpoint)
        assert (await here.call("POST", "/f/acme/hello/count", data=pieces(48)))[0] == 200
        assert (await here.problem("POST", "/f/acme/hello/count", data=pieces(49)))["code"] == "payload-too-large"
        assert (await here.problem("POST", "/f/acme/hello/count", data=b"x" * (3 * MIB + 1)))["status"] == 413


async def test_a_slow_client_holds_no_place_in_an_instance(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance, limits=Limits(concurrency=1))
    reader, writer = await asyncio.open_unix_connection(str(here.socket))
    writer.write(here.signed(b"POST /f/acme/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"))
    await writer.drain()
    for _ in range(3):
        assert (await here.call("POST", data=b"quick"))[0] == 200
    writer.write(b"b")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 200")
    assert instance.seen[-1].body == b"ab"
    writer.close()


async def test_a_body_that_comes_piece_by_piece_is_read_piece_by_piece(here: World) -> None:
    arrived = asyncio.Queue[bytes]()

    async def reads(request: web.BaseRequest) -> web.StreamResponse:
        async for piece in request.content.iter_any():
            arrived.put_nowait(piece)
        return web.Response(text="done")

    async def slow() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            async with asyncio.timeout(10):
                assert await arrived.get() == b"%d" % number  # only then the next one

    await here.route("hello", await here.instance(behaviour=reads))
    assert await here.call("POST", data=slow()) == (200, "done")

    async def trickle() -> AsyncIterator[bytes]:
        """Never a pause: until something has arrived."""
        while arrived.empty():
            yield b"."
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10):
        assert await here.call("POST", data=trickle()) == (200, "done")


async def test_a_client_that_leaves_within_its_body_is_no_call(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    _, writer = await asyncio.open_unix_connection(str(here.socket))
    writer.write(here.signed(b"POST /f/acme/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"))
    await writer.drain()
    await eventually(lambda: here.invoker._admission.held_bytes == 2, "it was read")
    writer.close()
    await eventually(lambda: here.invoker._admission.held_bytes == 0, "its bytes are free")
    assert instance.seen == []


async def test_a_client_that_leaves_while_its_large_body_waits_frees_its_place(here: World) -> None:
    await here.route("hello", await here.instance(concurrency=0), limits=LARGE)
    _, writer = await asyncio.open_unix_connection(str(here.socket))
    head = b"POST /f/acme/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n"
    writer.write(here.signed(head + b"x" * (4 * MIB)))
    await eventually(lambda: here.invoker._admission.total == 1, "it waits")
    writer.transport.abort()
    await eventually(lambda: here.invoker._admission.total == 0, "its place is free", 5)


async def test_continue_is_said_when_the_body_is_wanted_and_not_before(here: World) -> None:
    await here.route("hello", await here.instance(), limits=Limits(payload_bytes=100))
    head = b"POST /f/acme/hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    reader, writer = await asyncio.open_unix_connection(str(here.socket))
    writer.write(here.signed(head) % 2)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ab")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b":ab")
    writer.close()
    assert (await here.raw(head % 101)).startswith(b"HTTP/1.1 413")


async def test_a_server_that_does_not_know_expect_gets_the_body_anyway(here: World) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 2097152\r\n" in head
        await reader.readexactly(2 * MIB)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nold")
        writer.close()

    instance = await here.instance()
    await instance.kill()
    async with await asyncio.start_unix_server(serve, instance.endpoint.address.removeprefix("unix:"), limit=4 * MIB):
        await here.route("hello", instance, limits=LARGE)
        assert await here.call("POST", data=b"x" * 2 * MIB) == (200, "old")


async def test_an_early_answer_ends_a_large_upload(here: World) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()
        writer.close()

    instance = await here.instance()
    await instance.kill()
    async with await asyncio.start_unix_server(refuse, instance.endpoint.address.removeprefix("unix:")):
        await here.route("hello", instance, limits=LARGE)
        for _ in range(3):
            assert await here.call("POST", data=b"x" * 2 * MIB) == (403, "no")
        await here.client.close()
        await here.invoker.stop(0.1)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_kill_9_between_calls_costs_none(here: World, method: str) -> None:
    async with asgi_process(here.folder, "a") as first, asgi_process(here.folder, "b") as second:
        await here.route("hello")
        await here.add_endpoint("hello", 1, first.endpoint)
        data = b"x" if method == "POST" else None
        assert (await here.call(method, "/f/acme/hello/count", data=data))[0] == 200

        async def wake(_: object) -> None:
            await here.add_endpoint("hello", 1, second.endpoint)

        here.on_wake = wake
        await first.kill()
        assert (await here.call(method, "/f/acme/hello/count", data=data))[0] == 200


async def test_kill_9_under_a_call_is_told(here: World) -> None:
    async with asgi_process(here.folder, "a") as instance:
        await here.route("hello")
        await here.add_endpoint("hello", 1, instance.endpoint)
        calling = asyncio.create_task(here.problem("POST", "/f/acme/hello/sleep", data=b"x"))
        await eventually(here.invoker._lanes.loads, "it runs")
        await instance.kill()
        problem = await calling
        assert (problem["status"], problem["code"]) == (502, "instance-ended")
