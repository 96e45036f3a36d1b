"""The listener behind FFX_URL: the gateway's own, on a private unix socket, for calls of functions and nothing else.

Until there are identities every caller is the admin. Strangers' code must not be: here the API does not answer.
"""

from __future__ import annotations

from pathlib import Path

from faasioflex.gateway.envoy.listener import listener
from faasioflex.gateway.envoy.proto import Json, overwrite, typed
from faasioflex.gateway.envoy.replies import Reply, local_replies
from faasioflex.gateway.envoy.routes import INSIDE_HEADER
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.model.errors import NotAllowed

_ONLY_FUNCTIONS = Reply(
    (403,),
    NotAllowed,
    "From inside a function only functions can be called: $FFX_URL/f/NAMESPACE/NAME, without upgrades.",
)


def functions_listener(settings: EnvoySettings, socket: Path, routes_file: Path) -> Json:
    made = listener(settings, routes_file, None)
    made["name"] = "functions"
    made["address"] = {"pipe": {"path": str(socket), "mode": 0o600}}
    http = made["filter_chains"][0]["filters"][0]["typed_config"]
    http["stat_prefix"] = "functions"
    http["local_reply_config"] = local_replies(first=(_ONLY_FUNCTIONS,))
    early = http["early_header_mutation_extensions"][0]["typed_config"]
    early["mutations"] = [*early["mutations"], {"append": overwrite(INSIDE_HEADER, "1")}]
    http["http_filters"] = [_calls_only(), *http["http_filters"]]
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
