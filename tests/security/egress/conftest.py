"""Functions that try to get where they may not. Their relay lives in a network of its own, in which every address that they try
has a listener: nothing is unreachable by itself, and no packet leaves the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from faasioflex.model.function import Network
from faasioflex.model.instance import Instance
from support.egress import EgressWorld, Host, launched_with_relay

PUBLIC, OWN_PUBLIC, META, LOOPBACK = "93.184.216.34", "93.184.216.1", "169.254.169.254", "127.0.0.1"
DATABASE, PRIVATE, CARRIER = "10.20.30.40", "192.168.7.6", "100.64.3.2"
NAMES = f"""
127.0.0.1 localhost
::1 localhost
{PUBLIC} public.example.com api.example.org rebind.example.com
{DATABASE} db.internal
{PRIVATE} other.internal
127.0.0.1 loop.example.com
{META} meta.example.com
93.184.216.99 two.example.com
127.0.0.1 two.example.com
"""


@dataclass
class Walled:
    """``listed`` may reach three hosts, ``open`` everything public and two hosts by name."""

    world: EgressWorld
    hosts: dict[tuple[str, int], Host]
    listed: Instance
    open: Instance
    closed: Instance

    def reached(self, *names: str) -> int:
        """Connections so far to hosts with these addresses."""
        return sum(host.reached for (address, _), host in self.hosts.items() if address in names)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walled() -> AsyncIterator[Walled]:
    async with launched_with_relay("--allow", f"{DATABASE}:5432 {PRIVATE}", names=NAMES) as world:
        wall = world.relay.wall
        hosts = {
            (address, port): Host(wall.listen(address, port), f"{address}:{port}")
            for address in (PUBLIC, OWN_PUBLIC, META, LOOPBACK, DATABASE, PRIVATE, CARRIER)
            for port in (80, 443, 5432, 8080)
        }
        closed = await world.ready()
        listed = await world.ready(network=Network(("db.internal:5432", "public.example.com:8080", f"{PUBLIC}:443")))
        opened = await world.ready(network=Network(("*", "db.internal:5432", f"{META}:80", "loop.example.com:80")))
        yield Walled(world, hosts, listed, opened, closed)
        for host in hosts.values():
            host.close()


@pytest.fixture(autouse=True)
def nothing_forbidden_was_reached(walled: Walled) -> Iterator[None]:
    yield
    assert walled.reached(OWN_PUBLIC, META, LOOPBACK, PRIVATE, CARRIER) == 0
