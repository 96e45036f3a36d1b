"""The one listener: TLS, the HTTP connection manager and its bounds (Envoy's edge guide, without what breaks streaming)."""

from __future__ import annotations

from pathlib import Path

from faasioflex.gateway.envoy import admission, cors, identity, limits, scripts, tracing, uses
from faasioflex.gateway.envoy.proto import Json, overwrite, seconds, typed
from faasioflex.gateway.envoy.replies import local_replies
from faasioflex.gateway.envoy.routes import CLIENT_ID_HEADER, ELSEWHERE, LIVE, ROUTES, VHOST_HEADER
from faasioflex.gateway.envoy.settings import MIB, EnvoySettings

KIB = 1024
HEADERS_KIB = 60
HEADERS_COUNT = 100
# Names that only we, or Envoy, may set.
PLATFORM_HEADERS = ("x-ffx-", "x-envoy-")
# Hop-by-hop names that Envoy passes on, and what a proxy in front of others might believe.
NOT_TAKEN = ("x-forwarded-prefix", "proxy-authorization", "proxy-authenticate", "keep-alive", "proxy-connection")


def listener(settings: EnvoySettings, routes_file: Path, tls_file: Path | None) -> Json:
    chain: Json = {"filters": [{"name": "http", "typed_config": _http(settings, routes_file)}]}
    made: Json = {
        "name": "edge",
        "address": {"socket_address": {"address": settings.host, "port_value": settings.port}},
        "per_connection_buffer_limit_bytes": 64 * KIB,
        "filter_chains": [chain],
    }
    if tls_file is not None:
        chain["transport_socket"] = _tls(tls_file)
        chain["transport_socket_connect_timeout"] = seconds(settings.headers_timeout_s)
        made["listener_filters"] = [
            {
                "name": "tls",
                "typed_config": typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"),
            }
        ]
        made["listener_filters_timeout"] = seconds(settings.headers_timeout_s)
    return made


def _http(settings: EnvoySettings, routes_file: Path) -> Json:
    return typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="AUTO",
        server_name="faasioflex",
        rds={
            "route_config_name": ROUTES,
            "config_source": {"path_config_source": {"path": str(routes_file)}, "resource_api_version": "V3"},
        },
        http_filters=_filters(settings),
        early_header_mutation_extensions=[_early_headers()],
        local_reply_config=local_replies(),
        upgrade_configs=[{"upgrade_type": "websocket"}],
        # identity of the caller and of the request
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_proxies,
        # nobody is internal, loopback least of all: an internal caller may set Envoy's own headers
        internal_address_config={"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        generate_request_id=True,
        preserve_external_request_id=False,
        always_set_request_id_in_response=True,
        # paths go on as they came: what could be read in two ways is refused by a route instead
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        # bounds
        common_http_protocol_options={
            "idle_timeout": seconds(settings.client_idle_s),
            "max_headers_count": HEADERS_COUNT,
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http_protocol_options={"accept_http_10": False},
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 64 * KIB,
            "initial_connection_window_size": MIB,
        },
        max_request_headers_kb=HEADERS_KIB,
        request_headers_timeout=seconds(settings.headers_timeout_s),
        stream_idle_timeout="300s",
        delayed_close_timeout="1s",
        access_log=[uses.told(), *_access_log(settings)],
        **tracing.of_listener(settings),
    )


def _filters(settings: EnvoySettings) -> list[Json]:
    answers = typed(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": [_remove_prefix(prefix) for prefix in PLATFORM_HEADERS]},
    )
    router = typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    shares_origin = settings.functions_host is None
    return [
        scripts.respond_async_script(ELSEWHERE),
        scripts.request_script("/f/" if shares_origin else None, CLIENT_ID_HEADER),
        scripts.answer_script(shares_origin=shares_origin, proof=settings.proof),
        {"name": "envoy.filters.http.header_mutation", "typed_config": answers},
        cors.FILTER,
        *identity.filters(settings),
        *admission.filters(settings),
        *limits.filters(settings),
        uses.marking(),
        {"name": "envoy.filters.http.router", "typed_config": router},
    ]


def _early_headers() -> Json:
    """Before a route is looked for: nothing of ours comes from outside, and the live virtual host is asked for."""
    mutations = [
        *(_remove_prefix(prefix) for prefix in PLATFORM_HEADERS),
        *({"remove": name} for name in NOT_TAKEN),
        {"append": overwrite(VHOST_HEADER, LIVE)},
        {"append": overwrite(CLIENT_ID_HEADER, "%REQ(X-REQUEST-ID)%")},
    ]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations
        ),
    }


def _remove_prefix(prefix: str) -> Json:
    return {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}


def _access_log(settings: EnvoySettings) -> list[Json]:
    if settings.access_log is None:
        return []
    line = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }
    return [
        {
            "name": "file",
            "typed_config": typed(
                "envoy.extensions.access_loggers.file.v3.FileAccessLog",
                path=str(settings.access_log),
                log_format={"json_format": line},
            ),
        }
    ]


def _tls(tls_file: Path) -> Json:
    source = {"path_config_source": {"path": str(tls_file)}, "resource_api_version": "V3"}
    return {
        "name": "tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context={
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [{"name": "edge", "sds_config": source}],
            },
        ),
    }
