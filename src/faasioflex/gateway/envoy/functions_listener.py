"""The listener behind FFX_URL: the gateway's own, on a private unix socket, for calls of functions and nothing else.

Until there are identities every caller is the admin. Strangers' code must not be: here the API does not answer.
Nor may it fill the gateway's memory, which would stop everybody's calls. Routes to live functions keep a body for a second try;
so here a heavy body takes the route by the invoker, which streams it and counts what all bodies hold, and connections are few.
"""

from __future__ import annotations

from pathlib import Path

from faasioflex.gateway.envoy.listener import listener
from faasioflex.gateway.envoy.proto import Json, overwrite, seconds, typed
from faasioflex.gateway.envoy.replies import Reply, local_replies
from faasioflex.gateway.envoy.routes import ELSEWHERE, INSIDE_HEADER
from faasioflex.gateway.envoy.scripts import heavy_script
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.model.errors import NotAllowed

_ONLY_FUNCTIONS = Reply(
    (403,),
    NotAllowed,
    "From inside a function only functions can be called: $FFX_URL/f/NAMESPACE/NAME, without upgrades.",
)

NAME = "functions"
CHUNKED_HEADER = "x-ffx-chunked"  # from outside it is taken away with all x-ffx-
IDLE_S = 60.0


def connection_limit(settings: EnvoySettings) -> dict[str, int]:
    """A runtime key: all functions together get an eighth of the gateway's connections."""
    return {f"envoy.resource_limits.listener.{NAME}.connection_limit": max(settings.max_connections // 8, 1)}


def functions_listener(settings: EnvoySettings, socket: Path, routes_file: Path) -> Json:
    made = listener(settings, routes_file, None)
    made["name"] = NAME
    made["address"] = {"pipe": {"path": str(socket), "mode": 0o600}}
    http = made["filter_chains"][0]["filters"][0]["typed_config"]
    http["stat_prefix"] = NAME
    http["codec_type"] = "HTTP1"  # connections are bounded: none of them may hold a hundred streams
    http["common_http_protocol_options"]["idle_timeout"] = seconds(min(settings.client_idle_s, IDLE_S))
    http["local_reply_config"] = local_replies(first=(_ONLY_FUNCTIONS,))
    early = http["early_header_mutation_extensions"][0]["typed_config"]
    early["mutations"] = [
        *early["mutations"],
        {"append": overwrite(INSIDE_HEADER, "1")},
        {"append": overwrite(CHUNKED_HEADER, "%REQ(TRANSFER-ENCODING)%")},
    ]
    http["http_filters"] = [_calls_only(), heavy_script(CHUNKED_HEADER, ELSEWHERE), *http["http_filters"]]
    return made


def _calls_only() -> Json:
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": typed(
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            rules={
                "action": "ALLOW",
                "policies": {
                    "functions": {
                        "permissions": [{"url_path": {"path": {"prefix": "/f/"}}}],
                        "principals": [{"any": True}],
                    }
                },
            },
        ),
    }
