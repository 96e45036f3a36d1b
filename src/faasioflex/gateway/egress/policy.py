"""Whether a host, and then an address of it, may be reached. Pure but for this host's own addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faasioflex.gateway.egress.envoy import ALLOWED, OPERATORS, PUBLIC
from faasioflex.model.addresses import Allowance, why_forbidden
from faasioflex.model.egress import Address, Destination, Match, match, shown
from faasioflex.runtime.own_addresses import OwnAddresses


class Denied(Exception):
    """May not be reached; ``destination`` as people read it, the message says why and what to do."""

    def __init__(self, destination: str, why: str) -> None:
        super().__init__(why)
        self.destination = destination
        self.why = why


@dataclass(frozen=True)
class Reach:
    """A host and port that are listed. ``operators``: the operator chose it, not a function."""

    host: str
    port: int
    named: bool
    operators: bool


def admit(destinations: Iterable[Destination], host: str, port: int, *, operators: bool) -> Reach:
    """``host`` is canonical. Raises: Denied."""
    found: Match | None = match(destinations, host, port)
    if found is None:
        what = shown(host, port)
        if operators:
            raise Denied(
                what, "it is not one of this machine's package registries: the setting build_egress adds hosts"
            )
        raise Denied(what, f"it is not in network.egress of this function: add {what!r} there to allow it")
    return Reach(host, port, found == "named", operators)


class Policy:
    def __init__(self, own: OwnAddresses, allowances: Iterable[Allowance]) -> None:
        self._own = own
        self._allowances = tuple(allowances)

    def classify(self, reach: Reach, address: Address) -> str:
        """As what Envoy is asked for ``address``, one of the host's. Raises: Denied."""
        if reach.operators:
            return OPERATORS
        why = why_forbidden(address, self._own.now())
        if why is None:
            return PUBLIC
        if reach.named and any(each.covers(address, reach.port) for each in self._allowances):
            return ALLOWED
        what = shown(reach.host, reach.port)
        is_one = f"{address} is {why}" if str(address) != reach.host else f"it is {why}"
        if not reach.named:
            raise Denied(what, f"{is_one}, which no * covers: name the host in network.egress")
        raise Denied(what, f"{is_one}: the operator has to allow it with the setting egress_allow")
