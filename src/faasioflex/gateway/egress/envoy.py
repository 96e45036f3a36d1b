"""The egress Envoy's configuration: HTTP CONNECT on a private unix socket, and a look at the address before it connects. Pure.

The relay asks for addresses, not for names, and says as what in :data:`CLASS`; Envoy holds every connection to that by the
address that it really connects to. So a mistake in the relay, which reads what strangers send, opens nothing private.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from faasioflex.gateway.envoy.proto import Json, seconds, typed
from faasioflex.model.addresses import FORBIDDEN, Allowance
from faasioflex.model.egress import Address

CLASS = "x-ffx-egress"
PUBLIC, ALLOWED, OPERATORS = "public", "allowed", "operators"  # values of CLASS
CONNECT_WITHIN_S = 5.0
BUFFER_BYTES = 64 * 1024  # of each connection and direction; the default of 1 MiB is for few of them
_CLUSTER = "egress"
_CACHE = {"name": "egress", "dns_lookup_family": "ALL", "max_hosts": 100_000, "host_ttl": "60s"}
_MOST_CONNECTIONS = 20_000


def bootstrap(listeners_file: Path) -> Json:
    """The listener is in a file of its own, which Envoy reads again when another is renamed to its place."""
    return {
        "node": {"id": "egress.local", "cluster": "faasioflex"},
        "static_resources": {"clusters": [_cluster()]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": typed(
                        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        max_active_downstream_connections=_MOST_CONNECTIONS,
                    ),
                }
            ]
        },
        "dynamic_resources": {
            "lds_config": {"path_config_source": {"path": str(listeners_file)}, "resource_api_version": "V3"}
        },
    }


def listeners(socket: Path, own: Iterable[Address], allowances: Iterable[Allowance], version: str) -> Json:
    """``own``: the addresses of this host, which are forbidden too."""
    listener = typed(
        "envoy.config.listener.v3.Listener",
        name="egress",
        address={"pipe": {"path": str(socket), "mode": 0o600}},
        per_connection_buffer_limit_bytes=BUFFER_BYTES,
        filter_chains=[{"filters": [{"name": "http", "typed_config": _http(own, allowances)}]}],
    )
    return {"version_info": version, "resources": [listener]}


def _http(own: Iterable[Address], allowances: Iterable[Allowance]) -> Json:
    cache = typed(
        "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
        dns_cache_config=_CACHE,
        save_upstream_address=True,
    )
    filters = (
        ("dynamic_forward_proxy", cache),
        ("rbac", typed("envoy.extensions.filters.http.rbac.v3.RBAC", rules=rules(own, allowances))),
        ("router", typed("envoy.extensions.filters.http.router.v3.Router")),
    )
    route = {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": _CLUSTER,
            "timeout": "0s",
            "idle_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    }
    return typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="egress",
        codec_type="HTTP1",
        route_config={"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [route]}]},
        http_filters=[{"name": f"envoy.filters.http.{name}", "typed_config": config} for name, config in filters],
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        generate_request_id=False,
        stream_idle_timeout="0s",  # a pool of database connections may rest for hours
        request_headers_timeout="5s",
    )


def rules(own: Iterable[Address], allowances: Iterable[Allowance]) -> Json:
    """Envoy's RBAC: which class of connection may go to which addresses."""
    forbidden = [_address(network) for network in FORBIDDEN]
    forbidden += [_address(f"{address}/{address.max_prefixlen}") for address in sorted(own, key=str)]
    policies = {
        PUBLIC: {"and_rules": {"rules": [_class(PUBLIC), {"not_rule": {"or_rules": {"rules": forbidden}}}]}},
        OPERATORS: _class(OPERATORS),
    }
    allowed = [_address(str(each.network), each.port) for each in allowances]
    if allowed:
        policies[ALLOWED] = {"and_rules": {"rules": [_class(ALLOWED), {"or_rules": {"rules": allowed}}]}}
    return {
        "action": "ALLOW",
        "policies": {
            name: {"permissions": [permission], "principals": [{"any": True}]} for name, permission in policies.items()
        },
    }


def _class(name: str) -> Json:
    return {"header": {"name": CLASS, "string_match": {"exact": name}}}


def _address(network: str, port: int | None = None) -> Json:
    parsed = ipaddress.ip_network(network)
    fields: Json = {"upstream_ip": {"address_prefix": str(parsed.network_address), "prefix_len": parsed.prefixlen}}
    if port is not None:
        fields["upstream_port_range"] = {"start": port, "end": port}  # both included
    return {
        "matcher": {
            "name": "envoy.rbac.matchers.upstream_ip_port",
            "typed_config": typed("envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher", **fields),
        }
    }


def _cluster() -> Json:
    return {
        "name": _CLUSTER,
        "connect_timeout": seconds(CONNECT_WITHIN_S),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": typed(
                "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", dns_cache_config=_CACHE
            ),
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _MOST_CONNECTIONS,
                    "max_pending_requests": _MOST_CONNECTIONS,
                    "max_requests": _MOST_CONNECTIONS,
                }
            ]
        },
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 10, "keepalive_probes": 6}
        },
    }
