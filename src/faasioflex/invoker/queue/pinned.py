"""Names of callbacks resolved once per connection: what may not be reached is left out, and only what is left is connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from faasioflex.model.addresses import why_forbidden
from faasioflex.model.callback import ALLOW, CallbackTarget
from faasioflex.model.egress import Address, address, shown
from faasioflex.runtime.own_addresses import OwnAddresses

Resolve = Callable[[str, int], Awaitable[list[Address]]]


class Forbidden(Exception):
    """Every address of the host is one that callbacks do not go to; the message says which."""


async def system_resolver(host: str, port: int) -> list[Address]:
    """As every program of this machine resolves. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    plain = [ipaddress.ip_address(str(where[0]).partition("%")[0]) for *_, where in found]
    return list(dict.fromkeys(plain))


class PinnedResolver(AbstractResolver):
    """Of one request. ``anywhere``: the operator has opened the host, whatever its addresses."""

    def __init__(self, target: CallbackTarget, resolve: Resolve, own: OwnAddresses, *, anywhere: bool) -> None:
        self._target = target
        self._resolve = resolve
        self._own = own
        self._anywhere = anywhere

    async def check_literal(self) -> None:
        """A host that is an address is asked of no resolver. Raises: Forbidden."""
        found = address(self._target.host)
        if found is not None:
            self._reachable([found])

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises: Forbidden; OSError."""
        found = self._reachable(await self._resolve(self._target.host, self._target.port))
        return [_result(host, each, port) for each in found]

    async def close(self) -> None:
        """Nothing is kept."""

    def _reachable(self, found: list[Address]) -> list[Address]:
        plain = [(each.ipv4_mapped or each) if isinstance(each, ipaddress.IPv6Address) else each for each in found]
        if self._anywhere:
            return plain
        own = self._own.now()
        why = {each: why_forbidden(each, own) for each in plain}
        good = [each for each in plain if why[each] is None]
        if not good and plain:
            host, where = self._target.host, shown(self._target.host, self._target.port)
            raise Forbidden(f"{host} is {plain[0]}, {why[plain[0]]}: {ALLOW.format(where=where)}")
        return good


def _result(host: str, found: Address, port: int) -> ResolveResult:
    family = socket.AF_INET6 if found.version == 6 else socket.AF_INET
    return ResolveResult(
        hostname=host,
        host=str(found),
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
