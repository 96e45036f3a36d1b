"""Routes: one for each function that has instances (or answers preflights), and those that always stand, which catch everything else."""

from __future__ import annotations

from collections.abc import Mapping

from faasioflex.gateway.apisix import scripts
from faasioflex.gateway.apisix.objects import API, FUNCTIONS, INVOKER, LABELS, TOKEN, Json, upstream_id
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.apisix.token import CLOCK_SKEW_S
from faasioflex.gateway.apisix.upstreams import timeouts
from faasioflex.gateway.port import TableFunction, TableRevision
from faasioflex.gateway.rules import BACKSTOP_S
from faasioflex.model.function import Cors
from faasioflex.model.identity import TokenKind

TO_INVOKER = [["ffx_to", "==", "invoker"]]
CORS_ONLY = [["ffx_cors", "==", "1"]]
STREAMED = {"proxy-buffering": {"disable_proxy_buffering": True}}  # an answer goes on as it comes


def fixed(settings: ApisixSettings) -> Mapping[str, Json]:
    """``/f/…`` and execute to the invoker, everything else to the API: live revisions have routes of their own, longer ones."""
    silence = timeouts(settings.longest_timeout_s + 60)
    common = {"timeout": silence, "enable_websocket": True, "labels": LABELS, "status": 1, "plugins": STREAMED}
    return {
        INVOKER: {**common, "name": "faasioflex: the invoker", "uris": ["/f/*"], "upstream_id": INVOKER},
        f"{INVOKER}-execute": {
            **common,
            "name": "faasioflex: execute",
            "uris": ["/functions/execute"],
            "methods": ["POST"],  # another method goes on to the API: by itself it would be a 404
            "upstream_id": INVOKER,
        },
        API: {**common, "name": "faasioflex: the API", "uris": ["/*"], "upstream_id": API},
    }


def of_function(function: TableFunction, settings: ApisixSettings, *, tokens: bool) -> Json:
    """``tokens``: whether there is an issuer whose tokens can be verified; else nobody is known, and private functions stay the
    invoker's."""
    path = f"/f/{function.function}"
    serving = [revision for revision in function.revisions if revision.percent > 0]
    made: Json = {
        "name": str(function.function),
        "uris": [path, f"{path}/*"],  # "/x/*" alone does not match "/x"
        "priority": 10,
        "enable_websocket": True,
        "labels": LABELS,
        "status": 1,
    }
    cors = {"cors": of_cors(function.cors)} if function.cors is not None else {}
    if not serving:
        silence = timeouts(settings.longest_timeout_s + 60)
        return {**made, "upstream_id": INVOKER, "timeout": silence, "plugins": {**STREAMED, **cors}}
    made["service_id"] = FUNCTIONS
    if tokens:
        made["plugin_config_id"] = TOKEN
    made["upstream_id"] = upstream_id(function.function, serving[0].number)
    made["timeout"] = timeouts(max(each.timeout_s + each.hold_s for each in serving) + BACKSTOP_S)
    made["plugins"] = {
        "serverless-post-function": scripts.serverless("rewrite", _direct(function, serving)),
        "traffic-split": _split(function, serving),
        **STREAMED,
        **cors,
    }
    return made


def of_cors(cors: Cors) -> Json:
    exposed = {"expose_headers": ",".join(cors.expose_headers)} if cors.expose_headers else {}
    return {
        "allow_origins": ",".join(cors.allow_origins),
        "allow_methods": ",".join(cors.allow_methods),
        "allow_headers": ",".join(cors.allow_headers),
        **exposed,
        "allow_credential": cors.allow_credentials,
        "max_age": cors.max_age_s,
        "_meta": {"filter": CORS_ONLY},
    }


def _direct(function: TableFunction, serving: list[TableRevision]) -> str:
    bounds = function.rate_limit
    return scripts.script(
        "direct",
        NAMESPACE=function.function.namespace,
        NAME=function.function.name,
        PUBLIC=function.access.public,
        SIGNED_IN=function.access.signed_in,
        PIDS=" ".join(sorted(function.access.pids)),
        LARGEST=_largest_payload(serving),
        REVISION=str(serving[0].number) if len(serving) == 1 else None,
        PER_CALLER=bounds.per_caller_per_minute if bounds else None,
        PER_FUNCTION=bounds.calls_per_minute if bounds else None,
        PER_NAMESPACE=function.namespace_per_minute,
        SKEW_S=CLOCK_SKEW_S,
        KINDS=frozenset(TokenKind.__args__),  # type: ignore[attr-defined]
    )


def _split(function: TableFunction, serving: list[TableRevision]) -> Json:
    """Calls that are the invoker's go to it; the others by weight where several revisions serve."""
    rules: list[Json] = [
        {"match": [{"vars": TO_INVOKER}], "weighted_upstreams": [{"upstream_id": INVOKER, "weight": 1}]}
    ]
    if len(serving) > 1:
        shares = [
            {"upstream_id": upstream_id(function.function, each.number), "weight": each.percent} for each in serving
        ]
        rules.append({"weighted_upstreams": shares})
    return {"rules": rules}


def _largest_payload(serving: list[TableRevision]) -> int | None:
    """Of a split, the larger bound counts here; the runtime holds each revision to its own."""
    bounds = [revision.payload_bytes for revision in serving]
    return None if None in bounds else max(bound for bound in bounds if bound is not None)
