"""Callers that let the gateway keep much for them and then stall: nobody else is refused."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from support.envoy import Stack, revision, stack, table
from support.origin import until

MIB = 1 << 20
HEAP_BYTES = 128 * MIB
BODY_BYTES = 6 * MIB
UPLOADS = 48  # more than twice the heap
CHUNKED = "Transfer-Encoding: chunked"
HEADS = (
    f"POST /f/acme/a HTTP/1.1\r\nContent-Length: {BODY_BYTES}",
    f"POST /f/acme/a HTTP/1.1\r\n{CHUNKED}",
    f"GET /f/acme/a HTTP/1.1\r\n{CHUNKED}",
)


class Upload:
    """A body without its end, so that nobody answers."""

    def __init__(self, socket: Path, head: str) -> None:
        self._socket = socket
        self._head = head
        self.sent = self.ended = False

    async def run(self) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(self._head.encode() + b"\r\nHost: a\r\n\r\n")
            if CHUNKED in self._head:
                writer.write(b"%x\r\n" % BODY_BYTES)
            for size in [MIB] * (BODY_BYTES // MIB - 1) + [MIB - 1]:
                writer.write(b"x" * size)
                await writer.drain()
            self.sent = True
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self.ended = True
            writer.close()


async def served(world: Stack, path: str) -> bool:
    try:
        async with world.client.get(world.url + path, timeout=aiohttp.ClientTimeout(5)) as got:
            return bool(got.status == 200)
    except (aiohttp.ClientError, TimeoutError):
        return False


async def reads_all(request: web.BaseRequest) -> web.StreamResponse:
    with suppress(ConnectionError):
        while await request.content.readany():
            pass
    return web.Response(text="whole")


@pytest.mark.parametrize("head", HEADS)
async def test_stalled_uploads_of_functions_leave_everybody_else_served(head: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ffxgw", dir="/tmp") as folder:
        socket = Path(folder) / "functions.sock"
        async with stack(functions_socket=socket, heap_bytes=HEAP_BYTES) as world, asyncio.timeout(90):
            instance = await world.instance("a")
            instance.handler = world.invoker.handler = reads_all
            await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
            uploads = [Upload(socket, head) for _ in range(UPLOADS)]
            async with asyncio.TaskGroup() as running:
                tasks = [running.create_task(each.run()) for each in uploads]
                await until(lambda: all(each.sent or each.ended for each in uploads), 60)
                pressure = await world.envoy.stat("overload.envoy.resource_monitors.fixed_heap.pressure")
                assert 0 < pressure < 60
                for path in ("/healthz", "/f/acme/a"):
                    assert [await served(world, path) for _ in range(20)] == [True] * 20
                for task in tasks:
                    task.cancel()


async def test_a_functions_heavy_calls_go_by_the_invoker_and_light_ones_straight() -> None:
    with tempfile.TemporaryDirectory(prefix="ffxgw", dir="/tmp") as folder:
        socket = Path(folder) / "functions.sock"
        async with stack(functions_socket=socket) as world:
            await world.gateway.apply(table(1, acme_a=[revision(1, await world.instance("a"))]))

            async def pieces() -> AsyncIterator[bytes]:
                yield b"piece"

            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as client:
                for data, by in ((None, "a"), (b"x" * 99_999, "a"), (b"x" * 100_000, "invoker"), (pieces(), "invoker")):
                    async with client.post("http://any/f/acme/a/x?y", data=data, headers={"X-Ffx-Chunked": "1"}) as got:
                        assert (got.status, await got.text()) == (200, by)
            for seen in world.invoker.seen:
                assert seen.path == "/f/acme/a/x?y"
                assert {name for name in seen.headers if name.startswith("x-ffx-")} <= {"x-ffx-address"}
            assert [len(seen.body) for seen in world.invoker.seen] == [100_000, 5]


async def test_functions_cannot_take_every_connection() -> None:
    with tempfile.TemporaryDirectory(prefix="ffxgw", dir="/tmp") as folder:
        socket = Path(folder) / "functions.sock"
        async with stack(functions_socket=socket, max_connections=32) as world, asyncio.timeout(20):
            kept = [await asyncio.open_unix_connection(str(socket)) for _ in range(4)]
            reader, writer = await asyncio.open_unix_connection(str(socket))
            assert await reader.read() == b""
            assert await served(world, "/healthz")
            for _, each in [*kept, (reader, writer)]:
                each.close()
