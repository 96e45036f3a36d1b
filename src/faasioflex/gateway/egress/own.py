"""The addresses that this host has itself, now."""

from __future__ import annotations

import ipaddress
import time

import psutil

from faasioflex.model.egress import Address

_FRESH_S = 2.0


class OwnAddresses:
    def __init__(self) -> None:
        self._known: frozenset[Address] = frozenset()
        self._looked_at: float | None = None
        self._told: frozenset[Address] = frozenset()

    def now(self) -> frozenset[Address]:
        """At most two seconds old."""
        at = time.monotonic()
        if self._looked_at is None or at - self._looked_at > _FRESH_S:
            self._known, self._looked_at = _look(), at
        self._told = self._known
        return self._known

    def changed(self) -> bool:
        """Whether they are others than :meth:`now` said last."""
        return _look() != self._told


def _look() -> frozenset[Address]:
    found = set()
    for interface in psutil.net_if_addrs().values():
        for each in interface:
            try:
                found.add(ipaddress.ip_address(each.address.partition("%")[0]))
            except ValueError:
                continue  # a hardware address
    return frozenset(found)
