"""Which personal and service tokens are in use: Envoy tells of one call of each in a minute.

A rate limit that stops nobody marks the calls of a token after the first; what is not marked is written to an access log over
gRPC.
"""

from __future__ import annotations

from typing import Any

from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc

from faasioflex.gateway.envoy.clusters import ADS
from faasioflex.gateway.envoy.identity import PID_HEADER
from faasioflex.gateway.envoy.proto import Json, overwrite, typed
from faasioflex.gateway.envoy.scripts import only_for, present
from faasioflex.identity.principal import PERSONAL_PREFIX, SERVICE_PREFIX

MARK = "x-ffx-seen"  # on a call whose token was told of already
MOST = 20_000
EVERY_S = 60
_LONG_LIVED = (PERSONAL_PREFIX, SERVICE_PREFIX)


def marking() -> Json:
    """The filter that marks."""
    limit = typed(
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="ffx_seen",
        token_bucket=_bucket(MOST),
        always_consume_default_token_bucket=False,
        filter_enabled=_share("seen", 100),
        filter_enforced=_share("seen-enforced", 0),
        request_headers_to_add_when_not_enforced=[overwrite(MARK, "1")],
        rate_limits=[{"actions": [{"request_headers": {"header_name": PID_HEADER, "descriptor_key": "pid"}}]}],
        descriptors=[{"entries": [{"key": "pid"}], "token_bucket": _bucket(1)}],
        max_dynamic_descriptors=MOST,
    )
    return only_for("ffx.seen", limit, [present("Request", PID_HEADER, rf"(?:{'|'.join(_LONG_LIVED)})\C*")])


def told() -> Json:
    """The access log."""
    long_lived = [_header({"string_match": {"prefix": prefix}}, PID_HEADER) for prefix in _LONG_LIVED]
    fresh = _header({"present_match": True, "invert_match": True}, MARK)
    return {
        "name": "uses",
        "filter": {"and_filter": {"filters": [{"or_filter": {"filters": long_lived}}, fresh]}},
        "typed_config": typed(
            "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            common_config={
                "log_name": "uses",
                "grpc_service": {"envoy_grpc": {"cluster_name": ADS}},
                "transport_api_version": "V3",
                "buffer_flush_interval": "1s",
            },
            additional_request_headers_to_log=[PID_HEADER],
        ),
    }


def _bucket(calls: int) -> Json:
    return {"max_tokens": calls, "tokens_per_fill": calls, "fill_interval": f"{EVERY_S}s"}


def _share(name: str, percent: int) -> Json:
    return {"default_value": {"numerator": percent}, "runtime_key": f"ffx.no_such_key.{name}"}


def _header(match: Json, name: str) -> Json:
    return {"header_filter": {"header": {"name": name, **match}}}


class UseServer(als_pb2_grpc.AccessLogServiceServicer):  # type: ignore[misc]  # generated, untyped
    """The servicer of ``AccessLogService``."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def take(self) -> frozenset[str]:
        seen, self._seen = self._seen, set()
        return frozenset(seen)

    async def StreamAccessLogs(self, requests: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        async for request in requests:
            for entry in request.http_logs.log_entry:
                pid = entry.request.request_headers.get(PID_HEADER)
                if pid and len(self._seen) < MOST:
                    self._seen.add(pid)
        return als_pb2.StreamAccessLogsResponse()
