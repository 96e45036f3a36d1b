"""The egress Envoy as a child: there when it is needed, gone when nobody has needed it, told when the host's addresses change."""

from __future__ import annotations

import asyncio
import ipaddress
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from faasioflex.gateway.egress.connect import connect
from faasioflex.gateway.egress.envoy import CLASS, OPERATORS
from faasioflex.gateway.egress.envoy_process import EgressEnvoy
from faasioflex.gateway.egress.pipe import Stream
from faasioflex.model.egress import Address
from faasioflex.platform.binaries import envoy
from faasioflex.runtime.own_addresses import OwnAddresses, addresses_of_interfaces
from support.deadline import eventually

IDLE_S = 0.3
ADDRESS = "198.41.0.4"


class Children:
    def __init__(self) -> None:
        self.before = {child.pid for child in psutil.Process().children()}

    def now(self) -> set[int]:
        return {child.pid for child in psutil.Process().children()} - self.before


@pytest.fixture
async def made() -> AsyncIterator[tuple[EgressEnvoy, set[Address]]]:
    own: set[Address] = set()
    with tempfile.TemporaryDirectory(prefix="ffxe", dir="/tmp") as folder:
        place = Path(folder)
        addresses = OwnAddresses(lambda: frozenset(own))
        child = EgressEnvoy(
            envoy(), place / "e", place / "e.sock", own=addresses, allowances=(), idle_s=IDLE_S, look_every_s=0.05
        )
        yield child, own
        await child.close()


async def test_it_runs_as_long_as_it_is_needed(made: tuple[EgressEnvoy, set[Address]]) -> None:
    child, _ = made
    children = Children()
    for _ in range(2):
        child.need("a sandbox")
        await eventually(lambda: len(children.now()) == 1, "it runs", 20)
        (pid,) = children.now()
        _, writer = await child.connection()
        writer.close()
        until = asyncio.get_running_loop().time() + 2 * IDLE_S
        await eventually(lambda: asyncio.get_running_loop().time() > until, "time passes")  # noqa: B023
        assert children.now() == {pid}
        child.leave("a sandbox")
        await eventually(lambda: not children.now(), "it has ended")
    _, writer = await child.connection()
    writer.close()
    assert len(children.now()) == 1


async def test_another_address_of_the_host_is_told_and_connections_stay(made: tuple[EgressEnvoy, set[Address]]) -> None:
    child, own = made
    child.need("a sandbox")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1000):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        kept = Stream(*await child.connection())
        await connect(kept, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", {CLASS: OPERATORS})
        listeners = child.socket.parent / "e" / "listeners.json"
        before = listeners.read_text()
        own.add(ipaddress.ip_address(ADDRESS))
        await eventually(lambda: listeners.read_text() != before, "it is told")
        assert f'"address_prefix": "{ADDRESS}"' in listeners.read_text()
        for _ in range(20):  # while it takes the new listener in the place of the old one
            again = Stream(*await child.connection())
            await connect(again, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", {CLASS: OPERATORS})
            again.close()
        kept.writer.write(b"still there")
        assert await kept.reader.read(100) == b"still there"
        kept.close()


def test_this_host_has_a_loopback_address() -> None:
    assert ipaddress.ip_address("127.0.0.1") in addresses_of_interfaces()
