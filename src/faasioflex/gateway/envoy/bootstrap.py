"""What Envoy starts with: enough to serve the API and, through the invoker, every function, without a control plane.

:func:`command` is all that a supervisor needs; it makes two or three small files in ``settings.folder``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from faasioflex.gateway.envoy import admission, identity, limits, tracing
from faasioflex.gateway.envoy.clusters import ADS, fixed_clusters
from faasioflex.gateway.envoy.functions_listener import connection_limit, functions_listener
from faasioflex.gateway.envoy.listener import listener
from faasioflex.gateway.envoy.proto import Json, seconds, typed
from faasioflex.gateway.envoy.routes import ELSEWHERE, ROUTES, fixed_host
from faasioflex.gateway.envoy.settings import EnvoySettings

CONFIG_FILE = "envoy.json"
ROUTES_FILE = "routes.json"
TLS_FILE = "tls.json"


def command(settings: EnvoySettings, envoy: Path | str, *, log_level: str = "warning") -> list[str]:
    """Write the configuration anew and return the argument list that starts ``envoy`` with it.

    No shared memory with another Envoy of this machine, no hot restart; Envoy logs to stderr.
    """
    return [
        str(envoy),
        "--config-path",
        str(write(settings)),
        "--use-dynamic-base-id",
        "--disable-hot-restart",
        "--concurrency",
        str(settings.workers),
        "--log-level",
        log_level,
        "--log-format",
        "%Y-%m-%dT%T.%eZ %l %n %v",
        "--drain-time-s",
        "5",
    ]


def write(settings: EnvoySettings) -> Path:
    """Make the files in ``settings.folder`` (each by rename, 0600); returns the path for ``--config-path``."""
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files(settings).items():
        fresh = settings.folder / f"{name}.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(content, indent=1))
        os.replace(fresh, settings.folder / name)
    identity.write_missing(settings.folder, ELSEWHERE)
    admission.Lists(settings.folder, ELSEWHERE).write_missing()
    limits.write_missing(settings.folder)
    return settings.folder / CONFIG_FILE


def files(settings: EnvoySettings) -> dict[str, Json]:
    """Name -> content (JSON). The route file is apart because only a discovered route table takes additions later."""
    made = {CONFIG_FILE: render(settings), ROUTES_FILE: _discovery(_route_config(settings))}
    if settings.tls_cert is not None and settings.tls_key is not None:
        made[TLS_FILE] = _discovery(_secret(settings.tls_cert, settings.tls_key))
    return made


def render(settings: EnvoySettings) -> Json:
    """The bootstrap. It names the other :func:`files`, which must lie in ``settings.folder``."""
    tls_file = None if settings.tls_cert is None else settings.folder / TLS_FILE
    over_ads = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": settings.node, "cluster": "faasioflex"},
        "admin": {"address": {"pipe": {"path": str(settings.admin_socket), "mode": 0o600}}},
        "static_resources": {
            "listeners": _listeners(settings, tls_file),
            "clusters": fixed_clusters(settings),
        },
        "dynamic_resources": {
            "ads_config": _grpc("DELTA_GRPC"),
            "cds_config": {**over_ads, "initial_fetch_timeout": seconds(settings.control_plane_wait_s)},
        },
        "stats_flush_interval": "2s",  # how old durations may be when stats.py reads them
        "cluster_manager": {"load_stats_config": _grpc("GRPC")},
        "overload_manager": _overload(settings),
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {
                        "re2.max_program_size.error_level": 1000,
                        **connection_limit(settings),
                        **tracing.runtime(settings),
                    },
                },
                {"name": "admin", "admin_layer": {}},
            ]
        },
    }


def _listeners(settings: EnvoySettings, tls_file: Path | None) -> list[Json]:
    routes = settings.folder / ROUTES_FILE
    made = [listener(settings, routes, tls_file)]
    if settings.functions_socket is not None:
        made.append(functions_listener(settings, settings.functions_socket, routes))
    return made


def _route_config(settings: EnvoySettings) -> Json:
    return typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=ROUTES,
        virtual_hosts=[fixed_host(settings)],
        vhost_header="x-ffx-vhost",
        vhds={
            "config_source": {
                "ads": {},
                "resource_api_version": "V3",
                "initial_fetch_timeout": seconds(settings.control_plane_wait_s),
            }
        },
        # a route to a revision whose cluster is not there yet goes to nobody's 503 for a moment, never refuses the table
        validate_clusters=False,
    )


def _secret(cert: Path, key: Path) -> Json:
    return typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret",
        name="edge",
        tls_certificate={
            "certificate_chain": {"filename": str(cert)},
            "private_key": {"filename": str(key)},
            "watched_directory": {"path": str(cert.parent)},
        },
    )


def _discovery(resource: Json) -> Json:
    return {"version_info": "1", "resources": [resource]}


def _grpc(api_type: str) -> Json:
    service = {
        "cluster_name": ADS,
        "max_receive_message_length": 64 << 20,
        # Envoy's own default grows to 30 s: too long to be deaf after a restart of the control plane.
        "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
    }
    return {"api_type": api_type, "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": service}]}


def _overload(settings: EnvoySettings) -> Json:
    heap = "envoy.resource_monitors.fixed_heap"
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    max_heap_size_bytes=settings.heap_bytes,
                ),
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    max_active_downstream_connections=settings.max_connections,
                ),
            },
        ],
        "actions": [
            _action("envoy.overload_actions.shrink_heap", heap, 0.9),
            _action("envoy.overload_actions.disable_http_keepalive", heap, 0.92),
            _action("envoy.overload_actions.stop_accepting_requests", heap, 0.95),
            _action("envoy.overload_actions.stop_accepting_connections", heap, 0.98),
        ],
    }


def _action(name: str, monitor: str, at: float) -> Json:
    return {"name": name, "triggers": [{"name": monitor, "threshold": {"value": at}}]}
