"""The virtual host of live functions, which the control plane adds beside the bootstrap's.

It takes precedence because every request carries its name in ``VHOST_HEADER``; while it is not there, the bootstrap's serves.
"""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.gateway.envoy import admission, cors, limits, retries
from faasioflex.gateway.envoy.clusters import INVOKER, cluster_name
from faasioflex.gateway.envoy.identity import CLAIMS_HEADER, JTI_HEADER
from faasioflex.gateway.envoy.proto import Json, overwrite, seconds, typed
from faasioflex.gateway.envoy.routes import (
    LIVE,
    OURS_ALONE,
    ROUTES,
    fixed_routes,
    function_answer,
    host_rules,
    methods_are,
    refusals,
    routes_to,
)
from faasioflex.gateway.envoy.settings import MIB, EnvoySettings
from faasioflex.gateway.port import TableFunction, TableRevision
from faasioflex.gateway.rules import BACKSTOP_S, REFUSED_METHODS, REFUSED_PATH

# A retry needs the body again, so this much of it is kept; a larger one is streamed and tried once. The default bound of a
# payload fits, so that an ordinary call whose instance is full goes on to the invoker instead of back to its caller with 429.
# Functions' heavy calls of each other do not come here: see functions_listener.py.
RETRIED_BODY_BYTES = 6 * MIB
NOBODY = "-"


@dataclass(frozen=True)
class FunctionRoutes:
    """Tried in order once the name has matched: too large, idempotent, the rest. ``bare``: nothing follows the name."""

    bare: list[Json]
    below: list[Json]


def function_routes(function: TableFunction, settings: EnvoySettings) -> FunctionRoutes:
    path = f"/f/{function.function}"
    return FunctionRoutes(
        bare=_routes(function, {"path": path}, settings), below=_routes(function, {"prefix": f"{path}/"}, settings)
    )


def live_host(settings: EnvoySettings) -> Json:
    """Everything but the functions: their maps hold ``NOBODY`` alone, which no request can match, to be replaced."""
    nobody = {"map": {NOBODY: _on(_route_list([]))}}
    path = _input("request-path", ":path")
    by_prefix = {
        "matcher_tree": {"input": path, "prefix_match_map": nobody},
        "on_no_match": _on(_route_list(fixed_routes(settings))),
    }
    by_name = {
        "matcher_tree": {"input": path, "exact_match_map": nobody},
        "on_no_match": {"matcher": by_prefix},
    }
    return {
        "name": f"{ROUTES}/{LIVE}",
        "domains": [LIVE],
        "request_headers_to_remove": OURS_ALONE,
        "matcher": {
            "matcher_list": {"matchers": [_refused(":path", REFUSED_PATH), _refused(":method", REFUSED_METHODS)]},
            "on_no_match": {"matcher": by_name},
        },
    }


def _routes(function: TableFunction, match: Json, settings: EnvoySettings) -> list[Json]:
    serving = [revision for revision in function.revisions if revision.percent > 0]
    answer = cors.on_answer(function.cors, function_answer(settings))
    if not serving:
        return [*host_rules(settings), *routes_to(INVOKER, match, retries.IDEMPOTENT, settings, answer)]
    largest = _largest_payload(serving)
    routes = host_rules(settings)
    if largest is not None:
        length = {"name": "content-length", "range_match": {"start": largest + 1, "end": (1 << 63) - 1}}
        routes.append(
            {
                "name": f"{function.function} too-large",
                "match": {**match, "headers": [length]},
                "direct_response": {"status": 413},
            }
        )
    silence_s = max(each.timeout_s + each.hold_s for each in serving) + BACKSTOP_S
    target, named = _target(function, serving)
    limited = limits.on_route(function)
    per_filter = {**answer["typed_per_filter_config"], **admission.on_route(function)}
    for methods in (retries.IDEMPOTENT, None):
        routes.append(
            {
                "name": f"{function.function} {'again' if methods else 'once'}",
                "match": {**match, **methods_are(methods)},
                "route": {
                    **target,
                    **limited.get("route", {}),
                    "prefix_rewrite": "/",
                    "timeout": "0s",
                    "idle_timeout": seconds(silence_s),
                    "retry_policy": retries.next_priority(resets=methods is not None, first_byte_s=silence_s + 1),
                },
                "request_body_buffer_limit": min(largest or RETRIED_BODY_BYTES, RETRIED_BODY_BYTES),
                "request_headers_to_add": [
                    overwrite("x-forwarded-prefix", f"/f/{function.function}"),
                    overwrite("x-ffx-namespace", function.function.namespace),
                    overwrite("x-ffx-function", function.function.name),
                    *named.request,
                ],
                "request_headers_to_remove": [JTI_HEADER, CLAIMS_HEADER, admission.KEY_HEADER],
                **answer,
                "typed_per_filter_config": per_filter,
                "metadata": limited.get("metadata", {}),
                "response_headers_to_add": [*answer.get("response_headers_to_add", []), *named.response],
            }
        )
    return routes


@dataclass(frozen=True)
class _Named:
    """Headers that name the one revision of a route."""

    request: tuple[Json, ...] = ()
    response: tuple[Json, ...] = ()


def _target(function: TableFunction, serving: list[TableRevision]) -> tuple[Json, _Named]:
    """The cluster of a route; or the weighted ones, each of which then names its revision itself."""
    if len(serving) == 1:
        number = str(serving[0].number)
        named = _Named((overwrite("x-ffx-revision", number),), (overwrite("ffx-revision", number),))
        return {"cluster": cluster_name(function, serving[0])}, named
    shares = [
        {
            "name": cluster_name(function, each),
            "weight": each.percent,
            "request_headers_to_add": [overwrite("x-ffx-revision", str(each.number))],
            "response_headers_to_add": [overwrite("ffx-revision", str(each.number))],
        }
        for each in serving
    ]
    return {"weighted_clusters": {"clusters": shares}}, _Named()


def _largest_payload(serving: list[TableRevision]) -> int | None:
    """Of a split, the larger bound counts here; the runtime holds each revision to its own."""
    bounds = [revision.payload_bytes for revision in serving]
    return None if None in bounds else max(bound for bound in bounds if bound is not None)


def _refused(header: str, regex: str) -> Json:
    regex_match = {"safe_regex": {"google_re2": {}, "regex": regex}}
    predicate = {"input": _input(f"refuse{header}", header), "value_match": regex_match}
    return {"predicate": {"single_predicate": predicate}, "on_match": _on(_route_list(refusals()))}


def _input(name: str, header: str) -> Json:
    return {
        "name": name,
        "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header),
    }


def _route_list(routes: list[Json]) -> Json:
    return {"name": "routes", "typed_config": typed("envoy.config.route.v3.RouteList", routes=routes)}


def _on(action: Json) -> Json:
    return {"action": action}
