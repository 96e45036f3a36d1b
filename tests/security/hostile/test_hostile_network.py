"""A function that lists no hosts has no network: real listeners stand where it tries, and nobody ever comes."""

from __future__ import annotations

from contextlib import ExitStack

from security.hostile.conftest import everywhere
from support.hostile_platform import Attacker, WalledPlatform
from support.walled_network import ADDRESSES

METADATA = ("169.254.169.254", 80)


def test_metadata_private_and_loopback_addresses(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    with ExitStack() as kept:
        places = [METADATA, ("93.184.216.34", 80), *((address, 8000) for address, _ in ADDRESSES)]
        servers = [kept.enter_context(platform.wall.listen(*place)) for place in places]
        waiting = [kept.enter_context(platform.wall.datagrams(*place)) for place in places]
        for place in places:  # they are there for whoever is in that network
            platform.wall.connect(*place).close()
        for server in servers:
            server.settimeout(1)
            server.accept()[0].close()
        targets = [*places, ("127.0.0.1", platform.port), ("::1", platform.port), ("127.0.0.1", 4222)]
        for found in everywhere(attackers, "connect", targets=targets):
            found.nothing()
        for listener in (*servers, *waiting):
            listener.setblocking(False)
            try:
                came = listener.recv(100) if listener in waiting else listener.accept()
            except BlockingIOError:
                continue
            raise AssertionError(f"somebody came to {listener}: {came!r}")


def test_kinds_of_sockets(attackers: list[Attacker]) -> None:
    for found in everywhere(attackers, "families"):
        found.nothing()


def test_more_network_than_there_is(attackers: list[Attacker]) -> None:
    for found in everywhere(attackers, "interfaces"):
        found.nothing()
        assert found.saw["interfaces"] == ["lo"]
