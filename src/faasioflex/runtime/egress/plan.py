"""What is set up in a sandbox's own network for an egress list: listeners, names, addresses, environment. Pure.

The launcher makes it so (``listeners.py``), the relay reads it the other way round: who connects to such an address and port
of the sandbox's loopback means such a host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from faasioflex.model.egress import Destination, parse_all

HOME, HOSTNAME = "127.0.0.1", "function"
# Below the range that a kernel takes for outgoing connections; unlikely to be anybody's own.
PLATFORM_PORT, PROXY_PORT, NAMES_PORT = 30080, 30081, 53
PLATFORM_URL = f"http://{HOME}:{PLATFORM_PORT}"
PROXY_URL = f"http://{HOME}:{PROXY_PORT}"
ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104  (of a sandbox's own network, which nobody else is in)
_LOCALHOST = "localhost"
_FIRST_NAME = int(ipaddress.IPv4Address("127.1.0.1"))


@dataclass(frozen=True)
class Listener:
    address: str
    port: int
    udp: bool = False


@dataclass(frozen=True)
class Plan:
    """Of one sandbox. ``platform``: whether FFX_URL is served in it; ``proxied``: whether HTTP clients are told of a proxy."""

    destinations: tuple[Destination, ...]
    platform: bool
    proxied: bool

    @cached_property
    def names(self) -> dict[str, str]:
        """Loopback address -> the name that /etc/hosts gives it."""
        listed = dict.fromkeys(each.host for each in self.destinations if each.kind == "name")
        listed.pop(_LOCALHOST, None)
        return {str(ipaddress.IPv4Address(_FIRST_NAME + index)): name for index, name in enumerate(listed)}

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Foreign addresses that its loopback gets, because its code connects to them as they are."""
        listed = (each.host for each in self.destinations if each.kind == "address")
        return tuple(dict.fromkeys(host for host in listed if not ipaddress.ip_address(host).is_loopback))

    @property
    def hosts(self) -> str:
        """/etc/hosts."""
        lines = [
            f"{HOME} {_LOCALHOST} {HOSTNAME}",
            f"::1 {_LOCALHOST}",
            *(f"{at} {name}" for at, name in self.names.items()),
        ]
        return "".join(f"{line}\n" for line in lines)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """One per port and family: the address that a connection was made to tells which host is meant."""
        made = [Listener(HOME, PLATFORM_PORT)] if self.platform else []
        made += [Listener(HOME, PROXY_PORT)] if self.proxied else []
        made.append(Listener(HOME, NAMES_PORT, udp=True))
        six = [each for each in self.destinations if each.kind == "address" and ":" in each.host]
        four = [each for each in self.destinations if each not in six]
        made += [Listener(ANY4, port) for port in _ports(four)]
        return (*made, *(Listener(ANY6, port) for port in _ports(six)))

    @property
    def environment(self) -> dict[str, str]:
        """For clients that take a proxy."""
        if not self.proxied:
            return {}
        own = f"{_LOCALHOST},{HOME},::1"
        proxies = {name: PROXY_URL for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
        return {**proxies, "NO_PROXY": own, "no_proxy": own, "NODE_USE_ENV_PROXY": "1"}

    def meant(self, address: str, port: int) -> str | None:
        """The canonical host behind an address of the sandbox's loopback that something listens on."""
        if address in self.names:
            return self.names[address]
        hosts = {each.host for each in self.destinations if port in each.ports}
        if address in hosts:
            return address
        return _LOCALHOST if _LOCALHOST in hosts and ipaddress.ip_address(address).is_loopback else None


def plan_instance(egress: Sequence[str], *, platform: bool) -> Plan:
    """Raises: ValueError for an entry that is none."""
    destinations = parse_all(egress)
    return Plan(destinations, platform, any(each.kind in ("below", "any") for each in destinations))


def plan_fetch(egress: Sequence[str]) -> Plan:
    """Of a build's step that fetches: its tools take a proxy, and then a host that is not listed is heard of.

    Raises: ValueError for an entry that is none.
    """
    return Plan(parse_all(egress), platform=False, proxied=True)


def _ports(destinations: Sequence[Destination]) -> list[int]:
    return sorted({port for each in destinations for port in each.ports})
