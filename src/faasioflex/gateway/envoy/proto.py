"""Envoy's type URLs, and small pieces of its JSON that several renderers write."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TYPE = "type.googleapis.com/"
CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
VIRTUAL_HOST = TYPE + "envoy.config.route.v3.VirtualHost"


def typed(message: str, **fields: Any) -> Json:
    """A ``google.protobuf.Any`` in JSON."""
    return {"@type": TYPE + message, **fields}


def seconds(value: float) -> str:
    """A ``google.protobuf.Duration`` in JSON."""
    return f"{value:.3f}s"


def address(text: str) -> Json:
    """``unix:/absolute/path`` or ``host:port`` as an Envoy address."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def overwrite(name: str, value: str) -> Json:
    """Set a header, whatever was there."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def also(name: str, value: str) -> Json:
    """Add a header beside those of the same name."""
    return {"header": {"key": name, "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
