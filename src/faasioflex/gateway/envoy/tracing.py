"""Traces of the gateway: Envoy's own OpenTelemetry tracer, straight to the collector. Nothing of it is there while it is off.

A caller's traceparent is taken over, with its decision whether the call is traced; else the ratio decides. What goes on carries
the gateway's span as its parent, one span for each try.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from faasioflex.gateway.envoy.proto import Json, also, seconds, typed
from faasioflex.gateway.envoy.settings import EnvoySettings, Tracing

COLLECTOR = "ffx-collector"
SERVICE = "faasioflex-gateway"
TIMEOUT_S = 5.0
MILLION = 1_000_000


def of_listener(settings: EnvoySettings) -> Json:
    """Fields of the HTTP connection manager."""
    tracing = settings.tracing
    if tracing is None:
        return {}
    return {
        "tracing": {
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": _tracer(tracing)},
            "client_sampling": {"value": 0},  # of x-client-trace-id: nobody forces a trace
            "random_sampling": {"value": 100},  # the sampler decides: these would overrule a caller that wants a trace
            "overall_sampling": {"value": 100},
            "spawn_upstream_span": True,
            "operation": "%REQ(:METHOD)% gateway",
            "upstream_operation": "%UPSTREAM_CLUSTER%",
            "custom_tags": [
                # in place of Envoy's own, which has the query: that is the caller's business, secrets and all
                {"tag": "http.url", "value": "%REQ(:SCHEME)%://%REQ(:AUTHORITY)%%REQ(X-FORWARDED-PREFIX)%%PATH(NQ)%"},
                {"tag": "ffx.request_id", "value": "%REQ(X-REQUEST-ID)%"},
            ],
        }
    }


def runtime(settings: EnvoySettings) -> dict[str, int]:
    """Runtime keys: spans go out every second, or a hundred together. Envoy's own are five seconds or five spans."""
    if settings.tracing is None:
        return {}
    return {"tracing.opentelemetry.flush_interval_ms": 1000, "tracing.opentelemetry.min_flush_spans": 100}


def clusters(settings: EnvoySettings) -> list[Json]:
    """Where the collector is."""
    if settings.tracing is None:
        return []
    endpoint = urlsplit(settings.tracing.endpoint)
    secure = endpoint.scheme == "https"
    host = endpoint.hostname or ""
    where = {"socket_address": {"address": host, "port_value": endpoint.port or (443 if secure else 80)}}
    made: Json = {
        "name": COLLECTOR,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": COLLECTOR,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}],
        },
    }
    if secure:
        made["transport_socket"] = _tls(host)
    return [made]


def _tracer(tracing: Tracing) -> Json:
    return typed(
        "envoy.config.trace.v3.OpenTelemetryConfig",
        http_service={
            "http_uri": {"uri": tracing.endpoint, "cluster": COLLECTOR, "timeout": seconds(TIMEOUT_S)},
            "request_headers_to_add": [also(name, value) for name, value in tracing.headers],
        },
        service_name=SERVICE,
        sampler=_sampler(
            "parent_based",
            "ParentBasedSamplerConfig",
            wrapped_sampler=_sampler(
                "trace_id_ratio_based",
                "TraceIdRatioBasedSamplerConfig",
                sampling_percentage={"numerator": round(tracing.ratio * MILLION), "denominator": "MILLION"},
            ),
        ),
    )


def _sampler(name: str, message: str, **fields: Json) -> Json:
    config = typed(f"envoy.extensions.tracers.opentelemetry.samplers.v3.{message}", **fields)
    return {"name": f"envoy.tracers.opentelemetry.samplers.{name}", "typed_config": config}


def _tls(host: str) -> Json:
    return {
        "name": "tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            sni=host,
            common_tls_context={
                "validation_context": {
                    "trusted_ca": {"filename": _authorities()},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                }
            },
        ),
    }


def _authorities() -> str:
    """The machine's own. The supervisor writes the bootstrap and has no module ``ssl``, so OpenSSL itself is asked, and only here."""
    from _ssl import get_default_verify_paths

    variable, file, _, _ = get_default_verify_paths()
    found = os.environ.get(variable, file)
    return found if Path(found).exists() else "/etc/ssl/certs/ca-certificates.crt"
