"""Connections out of sandboxes, and what becomes of them when a part of the way is killed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from faasioflex.model.function import Network
from faasioflex.runtime.egress.plan import PLATFORM_URL
from support.deadline import eventually
from support.egress import EgressWorld, Host, asks, launched_with_relay, says
from support.launcher import client, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.contextmanager
def host(address: str = "127.0.0.1") -> Iterator[Host]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = Host(socket.create_server((address, 0), family=family), address)
    try:
        yield made
    finally:
        made.close()


async def test_much_passes_whole_in_both_directions(world: EgressWorld) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async with served(echo) as port:
        one = await world.ready(network=Network((f"localhost:{port}",)))
        code = f"""
import hashlib, os, socket, threading
sent, got = os.urandom(8_000_000), bytearray()
with socket.create_connection(("localhost", {port}), 30) as line:
    def send():
        line.sendall(sent)
    thread = threading.Thread(target=send)
    thread.start()
    while len(got) < len(sent) and (piece := line.recv(65536)):
        got += piece
    thread.join()
result = [len(got), bytes(got) == sent]
"""
        assert await inside(one, code) == [8_000_000, True]


async def test_an_answer_after_the_function_has_closed_its_side(world: EgressWorld) -> None:
    async def digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int(await reader.readline())
        writer.write(hashlib.sha256(await reader.readexactly(length)).hexdigest().encode())
        writer.close()

    async with served(digest) as port:
        one = await world.ready(network=Network((f"localhost:{port}",)))
        code = (
            f"import socket\nwith socket.create_connection(('localhost', {port}), 30) as line:\n"
            "    line.sendall(b'3\\nabc')\n    line.shutdown(socket.SHUT_WR)\n    result = line.recv(1000).decode()\n"
        )
        assert await inside(one, code) == hashlib.sha256(b"abc").hexdigest()


async def test_addresses_are_reached_as_they_are(world: EgressWorld) -> None:
    with host() as four, host("::1") as six:
        one = await world.ready(network=Network((f"127.0.0.1:{four.port}", f"[::1]:{six.port}")))
        assert await inside(one, says("127.0.0.1", four.port)) == "127.0.0.1 heard hello"
        assert await inside(one, says("::1", six.port)) == "::1 heard hello"


async def test_many_hosts_in_a_list(world: EgressWorld) -> None:
    """More listeners than one message between processes holds descriptors."""
    with host() as there:
        many = [f"host{number}.example.com:{20_000 + number}" for number in range(99)]
        one = await world.ready(network=Network((*many, f"localhost:{there.port}")))
        assert await inside(one, says("localhost", there.port)) == "127.0.0.1 heard hello"
        assert "host98.example.com" in await inside(one, "result = open('/etc/hosts').read()")


async def test_nothing_of_the_relay_is_inside(world: EgressWorld) -> None:
    one = await world.ready(network=Network(("*",)))
    pids = await inside(
        one, "import os\nresult = sorted(int(name) for name in os.listdir('/proc') if name.isdecimal())"
    )
    assert pids == [1, 2]


async def test_the_platform_is_called_by_its_url(world: EgressWorld) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(world.relay.platform))
    listener.listen()
    gateway = Host(listener, "gateway")
    try:
        one = await world.ready(platform_url=PLATFORM_URL)
        assert (
            await inside(one, asks(f"{PLATFORM_URL}/f/acme/other?x=1")) == "gateway got GET /f/acme/other?x=1 HTTP/1.1"
        )
        assert await inside(one, "import os\nresult = os.environ['FFX_URL']") == PLATFORM_URL
    finally:
        gateway.close()


async def test_the_relay_is_killed(world: EgressWorld) -> None:
    """A connection that comes meanwhile waits; those of before are gone."""
    with host() as there:
        one = await world.ready(network=Network((f"localhost:{there.port}",)))
        assert await inside(one, says("localhost", there.port)) == "127.0.0.1 heard hello"
        envoys = world.relay.envoy_pids()
        world.relay.kill()
        meanwhile = asyncio.create_task(inside(one, says("localhost", there.port)))
        late = asyncio.create_task(world.ready(network=Network((f"localhost:{there.port}",))))
        await eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in envoys), "its Envoy dies with it")
        assert not meanwhile.done()
        await world.relay.start()
        assert await meanwhile == "127.0.0.1 heard hello"
        assert await inside(await late, says("localhost", there.port)) == "127.0.0.1 heard hello"


async def test_its_envoy_is_killed(world: EgressWorld) -> None:
    with host() as there:
        one = await world.ready(network=Network((f"localhost:{there.port}",)))
        assert await inside(one, says("localhost", there.port)) == "127.0.0.1 heard hello"
        for _ in range(3):
            (pid,) = world.relay.envoy_pids()
            os.kill(pid, signal.SIGKILL)
            assert await inside(one, says("localhost", there.port)) == "127.0.0.1 heard hello"


async def test_an_open_connection_ends_with_the_envoy(world: EgressWorld) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        await reader.read()
        writer.close()

    async with served(silent) as port:
        one = await world.ready(network=Network((f"localhost:{port}",)))
        code = (
            f"import socket\nwith socket.create_connection(('localhost', {port}), 30) as line:\n"
            "    line.recv(1)\n    open('/tmp/there', 'w')\n    result = line.recv(1).decode()\n"
        )
        waiting = asyncio.create_task(inside(one, code))
        async with client(one) as http:
            while (await http.post("/", content="import os\nresult = os.path.exists('/tmp/there')")).json() != {
                "result": True
            }:
                assert not waiting.done()
        (pid,) = world.relay.envoy_pids()
        os.kill(pid, signal.SIGKILL)
        assert await waiting == ""


async def test_no_envoy_runs_while_nobody_needs_one() -> None:
    async with launched_with_relay() as world:
        await world.ready(platform_url=PLATFORM_URL)
        assert world.relay.envoy_pids() == []
        await world.ready(network=Network(("example.com",)))
        await eventually(world.relay.envoy_pids, "it is there before the first connection")


async def test_an_instance_leaves_nothing_behind(world: EgressWorld) -> None:
    """Its network, and what listened in it, go with it."""
    one = await world.ready(network=Network(("example.com",)), platform_url=PLATFORM_URL)
    before = _open_files(world)
    await world.driver.stop(one.id, 5)
    await eventually(lambda: _open_files(world) < before - 20, "the listeners are closed")
    kept = _open_files(world)
    for _ in range(3):
        again = await world.ready(network=Network(("example.com",)), platform_url=PLATFORM_URL)
        await world.driver.stop(again.id, 5)
    await eventually(lambda: _open_files(world) <= kept + 1, "nothing piles up")


def _open_files(world: EgressWorld) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (world.relay.pid, world.launcher.pid))


async def test_a_host_that_cannot_be_reached_is_said(world: EgressWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    one = await world.ready(network=Network((f"localhost:{port}", "no-such-host.invalid:80")))
    assert (await inside(one, says("localhost", port))).startswith("failed")
    await eventually(
        lambda: any("failed" in said for said in world.seen.messages(one.id, "platform")), "the log says so"
    )
    assert not any(denied.id == one.id for denied in world.seen.denied)
