"""Which addresses nobody reaches unless the operator allows them, and what an operator allows. Pure.

The same table is rendered for the egress Envoy (``gateway/egress/envoy.py``), asked by its relay, so that a denial can say why,
and asked before a callback goes out (``invoker/queue/callbacks.py``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from faasioflex.model.egress import Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What is not a public unicast address (IANA's special-purpose registries). Of IPv6 only 2000::/3 is given out; what leads to
# an IPv4 address (mapped, NAT64, Teredo, 6to4) is not reached by its IPv6 name. The ranges for documentation (192.0.2.0/24
# and its like) are left out: nothing private has them, and labs without the internet use them as its addresses.
# 168.63.129.16 is public by its number only: on Azure it is the platform's side of the host (agent, names, extensions).
FORBIDDEN: dict[str, str] = {
    "0.0.0.0/8": "an address of this host",
    "10.0.0.0/8": "a private address",
    "100.64.0.0/10": "an address of a carrier's own network",
    "127.0.0.0/8": "a loopback address",
    "168.63.129.16/32": "a cloud's own address for its hosts",
    "169.254.0.0/16": "a link-local address",
    "172.16.0.0/12": "a private address",
    "192.0.0.0/24": "a reserved address",
    "192.88.99.0/24": "a reserved address",
    "192.168.0.0/16": "a private address",
    "198.18.0.0/15": "a reserved address",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
    "::/3": "no public address",
    "2001::/23": "a reserved address",
    "2002::/16": "a reserved address",
    "4000::/2": "no public address",
    "8000::/1": "no public address",
}
_TABLE = [(ipaddress.ip_network(network), why) for network, why in FORBIDDEN.items()]


@dataclass(frozen=True)
class Allowance:
    """Addresses that the operator opens to functions that name them; ``port`` None is every port."""

    network: Network
    port: int | None

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)


def why_forbidden(address: Address, own: Iterable[Address] = ()) -> str | None:
    """Words for what it is, or None for a public address that is not one of this host's ``own``."""
    for network, why in _TABLE:
        if address in network:
            return why
    return "an address of this host" if address in own else None


def parse_allowances(text: str) -> tuple[Allowance, ...]:
    """``10.0.0.0/8 192.168.1.5:5432 [fd00::1]:443 fd00::/8``, separated by spaces or commas.

    Raises: ValueError with a sentence.
    """
    return tuple(_parse(word) for word in re.split(r"[\s,]+", text) if word)


def _parse(word: str) -> Allowance:
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|([^\[\]]+)", word)
    network, port = (found[1] or found[3] or found[5], found[2] or found[4]) if found else (word, None)
    try:
        made = ipaddress.ip_network(network)
    except ValueError:
        raise ValueError(f"{word!r} is not an address or a network, like 10.1.2.3:5432 or 10.1.0.0/16") from None
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError(f"{word!r}: a port is a number from 1 to 65535")
    return Allowance(made, int(port) if port else None)
