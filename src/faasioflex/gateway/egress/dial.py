"""From a host and port that are listed to an open connection: addresses, the policy, the egress Envoy."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Mapping

from faasioflex.gateway.egress.connect import Refused, connect
from faasioflex.gateway.egress.envoy import CLASS, CONNECT_WITHIN_S
from faasioflex.gateway.egress.envoy_process import EgressEnvoy, EnvoyAway
from faasioflex.gateway.egress.lookups import Resolve
from faasioflex.gateway.egress.machine_proxy import MachineProxy, machine_proxy
from faasioflex.gateway.egress.pipe import Stream
from faasioflex.gateway.egress.policy import Denied, Policy, Reach
from faasioflex.model.egress import Address, address, shown

RESOLVE_WITHIN_S = 10.0
MOST_ADDRESSES = 4  # of a host, tried one after the other
_FORBIDDEN = 403


class Unreachable(Exception):
    """It may be reached and cannot be; the message says why."""


class Dialer:
    """``resolve``: the addresses of a name, as the machine's resolver says them now."""

    def __init__(self, envoy: EgressEnvoy, policy: Policy, resolve: Resolve) -> None:
        self._envoy = envoy
        self._policy = policy
        self._resolve = resolve

    async def dial(self, reach: Reach, proxies: Mapping[str, str]) -> Stream:
        """``proxies``: of the machine, only for what the operator chose.

        Raises: Denied, Unreachable.
        """
        proxy = machine_proxy(proxies, reach.host, reach.port) if reach.operators else None
        if proxy is not None:
            return await self._by_proxy(reach, proxy)
        return await self._direct(reach)

    async def _direct(self, reach: Reach) -> Stream:
        denied: Denied | None = None
        last = "it has no address"
        for each in (await self._addresses(reach))[:MOST_ADDRESSES]:
            try:
                kind = self._policy.classify(reach, each)
            except Denied as error:
                denied = error
                continue
            try:
                return await self._through_envoy(each, reach, kind)
            except Unreachable as error:
                last = str(error)
        if denied is not None:
            raise denied
        raise Unreachable(last)

    async def _addresses(self, reach: Reach) -> list[Address]:
        literal = address(reach.host)
        if literal is not None:
            return [literal]
        try:
            async with asyncio.timeout(RESOLVE_WITHIN_S):
                return await self._resolve(reach.host, reach.port)
        except (OSError, UnicodeError) as error:  # TimeoutError among them
            raise Unreachable(f"{reach.host} has no address: {error or 'no answer in time'}") from None

    async def _through_envoy(self, to: Address, reach: Reach, kind: str) -> Stream:
        try:
            stream = Stream(*await self._envoy.connection())
        except EnvoyAway as error:
            raise Unreachable(str(error)) from error
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S * 2):
                await connect(stream, shown(str(to), reach.port), {CLASS: kind})
        except Refused as error:
            stream.close()
            if error.status == _FORBIDDEN:
                raise Denied(shown(reach.host, reach.port), f"{to} is an address that may not be reached") from error
            raise Unreachable(f"{to} takes no connection on port {reach.port}") from error
        except OSError as error:
            stream.close()
            raise Unreachable(f"no connection to {to}: {error or 'not in time'}") from error
        except BaseException:
            stream.close()
            raise
        return stream

    async def _by_proxy(self, reach: Reach, proxy: MachineProxy) -> Stream:
        stream = await self._direct(Reach(proxy.host, proxy.port, named=True, operators=True))
        login = {}
        if proxy.login is not None:
            login = {"Proxy-Authorization": "Basic " + base64.b64encode(proxy.login.encode()).decode()}
        try:
            async with asyncio.timeout(RESOLVE_WITHIN_S):
                await connect(stream, shown(reach.host, reach.port), login)
        except Refused as error:
            stream.close()
            raise Unreachable(f"the machine's proxy {proxy.host} refuses it with status {error.status}") from error
        except OSError as error:
            stream.close()
            raise Unreachable(f"the machine's proxy {proxy.host}: {error or 'no answer in time'}") from error
        return stream


async def system_resolver(host: str, port: int) -> list[Address]:
    """As every program of this machine resolves: /etc/hosts, DNS, whatever nsswitch.conf says. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    addresses = [ipaddress.ip_address(str(where[0]).partition("%")[0]) for *_, where in found]
    plain = [(each.ipv4_mapped or each) if isinstance(each, ipaddress.IPv6Address) else each for each in addresses]
    return list(dict.fromkeys(plain))
