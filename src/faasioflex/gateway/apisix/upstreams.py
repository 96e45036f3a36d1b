"""Upstreams: instances at priority 0, the invoker at priority -1, which takes over when none of them can be reached."""

from __future__ import annotations

from collections.abc import Iterable

from faasioflex.gateway.apisix.addresses import Address, Parts, parse
from faasioflex.gateway.apisix.objects import LABELS, Json
from faasioflex.gateway.port import TableRevision

CONNECT_S = 1.0
# The next node is tried within this: after it a broken try may be one that ran, and is not repeated.
RETRY_S = 3.0
KEPT_S = 4  # below every runtime's keep-alive (>= 75 s): see ADR 5


def of_revision(revision: TableRevision, parts: Parts) -> Json:
    instances = [_node(parse(address), 0) for address in revision.addresses]
    nodes = [*instances, *(_node(address, -1) for address in parts.invoker)]
    # "least_conn": instances are few and take few calls at once, so the least busy one is looked for
    return {**_common(nodes), "type": "least_conn", "retries": len(nodes)}


def of_part(addresses: Iterable[Address]) -> Json:
    """One of our own parts, which may be restarting."""
    nodes = [_node(address, 0) for address in addresses]
    return {**_common(nodes), "type": "roundrobin", "retries": max(len(nodes), 2)}


def timeouts(silence_s: float) -> Json:
    return {"connect": CONNECT_S, "send": silence_s, "read": silence_s}


def _common(nodes: list[Json]) -> Json:
    return {
        "nodes": nodes,
        "scheme": "http",
        "pass_host": "pass",
        "retry_timeout": RETRY_S,
        "keepalive_pool": {"idle_timeout": KEPT_S, "requests": 1000, "size": 320},
        "labels": LABELS,
    }


def _node(address: Address, priority: int) -> Json:
    return {"host": address[0], "port": address[1], "weight": 1, "priority": priority}
