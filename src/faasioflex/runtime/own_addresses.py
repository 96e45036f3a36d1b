"""The addresses that this host has itself, now."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

import psutil

from faasioflex.model.egress import Address

_FRESH_S = 2.0


class OwnAddresses:
    """``look``: what says them."""

    def __init__(self, look: Callable[[], frozenset[Address]] | None = None) -> None:
        self._look = look or addresses_of_interfaces
        self._known: frozenset[Address] = frozenset()
        self._looked_at: float | None = None

    def now(self) -> frozenset[Address]:
        """At most two seconds old."""
        at = time.monotonic()
        if self._looked_at is None or at - self._looked_at > _FRESH_S:
            self._known, self._looked_at = self._look(), at
        return self._known


def addresses_of_interfaces() -> frozenset[Address]:
    found = set()
    for interface in psutil.net_if_addrs().values():
        for each in interface:
            try:
                found.add(ipaddress.ip_address(each.address.partition("%")[0]))
            except ValueError:
                continue  # a hardware address
    return frozenset(found)
