"""Where requests go: the two fixed clusters of the bootstrap and one cluster per live revision.

A revision's cluster is never changed once it was pushed, because a changed cluster warms again: it holds nothing that a user
can set. Instances come and go by endpoint discovery.
"""

from __future__ import annotations

from pathlib import Path

from faasioflex.gateway.envoy import tracing
from faasioflex.gateway.envoy.proto import Json, address, seconds, typed
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import TableFunction, TableRevision

API = "ffx-api"
INVOKER = "ffx-invoker"
ADS = "ffx-ads"
FUNCTION_PREFIX = "f/"
PROOF_HEADER = "x-ffx-proof"
BUFFER_BYTES = 256 * 1024
NO_LIMIT = 1 << 20


def cluster_name(function: TableFunction, revision: TableRevision) -> str:
    """``f/ns/name/revision``."""
    return f"{FUNCTION_PREFIX}{function.function}/{revision.number}"


def parse_cluster_name(name: str) -> tuple[str, str, int] | None:
    """Namespace, name, revision; None for a cluster that is no function's."""
    if not name.startswith(FUNCTION_PREFIX):
        return None
    _, namespace, function, revision = name.split("/")
    return namespace, function, int(revision)


def fixed_clusters(settings: EnvoySettings) -> list[Json]:
    """API, invoker and control plane, each behind a unix socket that may be away for a while; the collector of traces."""
    return [
        _fixed(API, settings.api_socket, settings),
        _fixed(INVOKER, settings.invoker_socket, settings),
        _control_plane(settings.ads_socket),
        *tracing.clusters(settings),
    ]


def function_cluster(name: str, upstream_idle_s: float) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "1s"}},
        "load_balancing_policy": {"policies": [{"typed_extension_config": _least_request()}]},
        "outlier_detection": _outlier_detection(),
        **_common(upstream_idle_s, _shown_to_the_invoker()),
    }


def _least_request() -> Json:
    """The least busy of all, not of two picked by chance: instances are few and take few calls at once, so one that is picked
    although it is full sends the call on a detour by the invoker.
    """
    kind = "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest"
    return {
        "name": "envoy.load_balancing_policies.least_request",
        "typed_config": typed(kind, selection_method="FULL_SCAN"),
    }


def load_assignment(name: str, addresses: tuple[str, ...], invoker_socket: Path, proof: str = "") -> Json:
    """Instances at priority 0, the invoker at priority 1 of the same cluster.

    Over-provisioning is off the scale, so that one healthy instance of many keeps all of the traffic away from priority 1;
    only a cluster without any, or the second try of a call, reaches the invoker.
    """
    return {
        "cluster_name": name,
        "endpoints": [
            {"priority": 0, "lb_endpoints": [_endpoint(each) for each in addresses]},
            {"priority": 1, "lb_endpoints": [_endpoint(f"unix:{invoker_socket}") | _proving(proof)]},
        ],
        "policy": {"overprovisioning_factor": 100_000},
    }


def _proving(proof: str) -> Json:
    """What a try at this endpoint shows, and at no other: that the call comes from the gateway, which knows who calls."""
    return {"metadata": {"filter_metadata": {"ffx": {"proof": proof}}}} if proof else {}


def _endpoint(text: str) -> Json:
    return {"endpoint": {"address": address(text)}}


def _fixed(name: str, socket: Path, settings: EnvoySettings) -> Json:
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [_endpoint(f"unix:{socket}")]}]},
        **_common(settings.upstream_idle_s),
    }


def _shown_to_the_invoker() -> Json:
    """Filters of each try: the header of before goes, the proof of the endpoint of now comes, if it has one."""
    proof = {"header": {"key": PROOF_HEADER, "value": "%UPSTREAM_METADATA(ffx:proof)%"}}
    mutation = typed(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [
                {"remove": PROOF_HEADER},
                {"append": {**proof, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
            ]
        },
    )
    codec = typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")
    return {
        "http_filters": [
            {"name": "ffx.proof", "typed_config": mutation},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
        ]
    }


def _common(upstream_idle_s: float, more: Json | None = None) -> Json:
    return {
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        # Concurrency is the runtimes' business (429 with x-ffx-overflow): Envoy's limits count per cluster, not per host.
        "circuit_breakers": {
            "thresholds": [
                {
                    "priority": priority,
                    "max_connections": NO_LIMIT,
                    "max_pending_requests": NO_LIMIT,
                    "max_requests": NO_LIMIT,
                    "max_retries": NO_LIMIT,
                }
                for priority in ("DEFAULT", "HIGH")
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={"idle_timeout": seconds(upstream_idle_s)},
                explicit_http_config={"http_protocol_options": {}},
                **(more or {}),
            )
        },
    }


def _outlier_detection() -> Json:
    """Only what Envoy itself saw fail (connections) ejects an instance; whatever a function answers never does.

    Short, because the invoker is a host of the same cluster: when it is back from a restart, the calls that wait for it must
    find it within their three seconds. The default panic threshold stays: were all ejected, all are tried again.
    """
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 2,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "interval": "0.25s",
        "base_ejection_time": "0.5s",
        "max_ejection_time": "1s",
        "max_ejection_percent": 100,
    }


def _control_plane(socket: Path) -> Json:
    return {
        "name": ADS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": ADS, "endpoints": [{"lb_endpoints": [_endpoint(f"unix:{socket}")]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={
                    "http2_protocol_options": {"connection_keepalive": {"interval": "5s", "timeout": "3s"}}
                },
            )
        },
    }
