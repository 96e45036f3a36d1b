"""Routes: those that always stand (refusals, API, invoker) and those of live functions.

The fixed ones are the virtual host ``*`` of the bootstrap's route file. The control plane adds a second virtual host, which
takes precedence because every request carries its name in ``VHOST_HEADER``; while it is not there, the first one serves.
"""

from __future__ import annotations

from faasioflex.gateway.envoy import retries
from faasioflex.gateway.envoy.clusters import API, INVOKER, cluster_name
from faasioflex.gateway.envoy.proto import Json, also, overwrite, seconds, typed
from faasioflex.gateway.envoy.settings import MIB, EnvoySettings
from faasioflex.gateway.port import TableFunction, TableRevision

ROUTES = "ffx"
LIVE = "live"
VHOST_HEADER = "x-ffx-vhost"
CLIENT_ID_HEADER = "x-ffx-client-id"  # the caller's X-Request-Id until the script has looked at it

# Of use between Envoy's own steps only.
OURS_ALONE = [VHOST_HEADER, CLIENT_ID_HEADER, "x-envoy-external-address", "x-envoy-internal"]

# A retry needs the body again, so this much of it is kept; a larger one is streamed and tried once.
RETRIED_BODY_BYTES = 6 * MIB
BACKSTOP_S = 5.0  # the runtime and the invoker answer 504 themselves; Envoy only when they do not

_SEPARATOR = r"(?:/|\\|%2[fF]|%5[cC])"
_DOTS = r"(?:\.|%2[eE]){1,2}"
REFUSED_PATH = rf"[^?]*(?:(?:%00|\\|[\x00-\x20\x7f]).*|{_SEPARATOR}{_DOTS}(?:(?:{_SEPARATOR}|[;?#]).*)?)"
REFUSED_METHODS = "TRACE"  # CONNECT is refused by Envoy itself, as an upgrade that is not enabled
SANDBOX = "sandbox allow-scripts allow-forms"
# Service workers and stored site data belong to the origin, which functions share with the console.
ORIGIN_WIDE_HEADERS = ["service-worker-allowed", "clear-site-data"]


def refusals() -> list[Json]:
    """Answered here, whatever they were meant for: no part behind us has to agree on what ``..`` means."""
    return [
        {
            "name": "bad-path",
            "match": {"prefix": "/", "headers": [_header(":path", {"safe_regex": {"regex": REFUSED_PATH}})]},
            "direct_response": {"status": 400},
        },
        {
            "name": "bad-method",
            "match": {"prefix": "/", "headers": [_header(":method", {"safe_regex": {"regex": REFUSED_METHODS}})]},
            "direct_response": {"status": 405},
        },
    ]


def fixed_routes(settings: EnvoySettings) -> list[Json]:
    """``/f/…`` to the invoker, everything else to the API."""
    idle = seconds(settings.longest_timeout_s + 60)
    routes = []
    for name, methods, resets in (("again", retries.IDEMPOTENT, True), ("once", None, False)):
        routes.append(
            {
                "name": f"invoker-{name}",
                "match": {"prefix": "/f/", **_methods(methods)},
                "route": {
                    "cluster": INVOKER,
                    "timeout": "0s",
                    "idle_timeout": idle,
                    "retry_policy": retries.waiting(resets=resets),
                },
                **function_answer(settings),
            }
        )
    for name, methods, resets in (("again", retries.SAFE, True), ("once", None, False)):
        routes.append(
            {
                "name": f"api-{name}",
                "match": {"prefix": "/", **_methods(methods)},
                "route": {
                    "cluster": API,
                    "timeout": "0s",
                    "idle_timeout": idle,
                    "retry_policy": retries.waiting(resets=resets),
                },
            }
        )
    return routes


def function_answer(settings: EnvoySettings) -> Json:
    """What is done to every answer and request below ``/f/``, because functions share an origin with the console."""
    if settings.functions_host is not None:
        return {}
    return {
        "response_headers_to_add": [also("content-security-policy", SANDBOX)],
        "response_headers_to_remove": ORIGIN_WIDE_HEADERS,
        "typed_per_filter_config": {
            "envoy.filters.http.lua": typed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", name="functions")
        },
    }


def function_routes(function: TableFunction, settings: EnvoySettings) -> list[Json]:
    """Routes of one function, tried in order once its name has matched: too large, idempotent, the rest."""
    prefix = f"/f/{function.function}"
    serving = [revision for revision in function.revisions if revision.percent > 0]
    idle = seconds(max(each.timeout_s + each.hold_s for each in serving) + BACKSTOP_S)
    answer = function_answer(settings)
    routes: list[Json] = []
    largest = _largest_payload(serving)
    if largest is not None:
        too_large = {"range_match": {"start": largest + 1, "end": (1 << 63) - 1}}
        routes.append(
            {
                "name": f"{function.function} too-large",
                "match": {"prefix": prefix, "headers": [{"name": "content-length", **too_large}]},
                "direct_response": {"status": 413},
            }
        )
    for name, methods, resets in (("again", retries.IDEMPOTENT, True), ("once", None, False)):
        target, headers = _target(function, serving)
        for match in ({"prefix": f"{prefix}/"}, {"path": prefix}):
            routes.append(
                {
                    "name": f"{function.function} {name}",
                    "match": {**match, **_methods(methods)},
                    "route": {
                        **target,
                        "prefix_rewrite": "/",
                        "timeout": "0s",
                        "idle_timeout": idle,
                        "retry_policy": retries.next_priority(resets=resets),
                    },
                    "request_body_buffer_limit": min(largest or RETRIED_BODY_BYTES, RETRIED_BODY_BYTES),
                    "request_headers_to_add": [
                        overwrite("x-forwarded-prefix", prefix),
                        overwrite("x-ffx-namespace", function.function.namespace),
                        overwrite("x-ffx-function", function.function.name),
                        *headers.get("request", []),
                    ],
                    **answer,
                    "response_headers_to_add": [
                        *answer.get("response_headers_to_add", []),
                        *headers.get("response", []),
                    ],
                }
            )
    return routes


def live_host(functions: dict[str, list[Json]], settings: EnvoySettings) -> Json:
    """The control plane's virtual host. ``functions``: ``ns/name`` -> its routes; not empty.

    A prefix map alone would give ``/f/acme/x2`` to ``x``: its keys end in ``/`` or ``?``, and the bare name is an exact key.
    """
    exact = {f"/f/{name}": _on(_route_list(routes)) for name, routes in functions.items()}
    prefixes = {f"/f/{name}{end}": _on(_route_list(routes)) for name, routes in functions.items() for end in "/?"}
    return live_host_of(exact, prefixes, settings)


def live_host_of(exact: Json, prefixes: Json, settings: EnvoySettings) -> Json:
    path = _input("request-path", ":path")
    by_prefix = {
        "matcher_tree": {"input": path, "prefix_match_map": {"map": prefixes}},
        "on_no_match": _on(_route_list(fixed_routes(settings))),
    }
    by_name = {
        "matcher_tree": {"input": path, "exact_match_map": {"map": exact}},
        "on_no_match": {"matcher": by_prefix},
    }
    refused = [
        {
            "predicate": {
                "single_predicate": {
                    "input": _input(f"refuse{header}", header),
                    "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
                }
            },
            "on_match": _on(_route_list(refusals())),
        }
        for header, regex in ((":path", REFUSED_PATH), (":method", REFUSED_METHODS))
    ]
    return {
        "name": f"{ROUTES}/{LIVE}",
        "domains": [LIVE],
        "request_headers_to_remove": OURS_ALONE,
        "matcher": {"matcher_list": {"matchers": refused}, "on_no_match": {"matcher": by_name}},
    }


def fixed_host(settings: EnvoySettings) -> Json:
    """The bootstrap's virtual host."""
    return {
        "name": "fixed",
        "domains": ["*"],
        "request_headers_to_remove": OURS_ALONE,
        "routes": [*refusals(), *fixed_routes(settings)],
    }


def _target(function: TableFunction, serving: list[TableRevision]) -> tuple[Json, dict[str, list[Json]]]:
    """The cluster(s) of a route, and the headers that name the revision: of the route, or of each weighted cluster."""
    if len(serving) == 1:
        number = str(serving[0].number)
        return {"cluster": cluster_name(function, serving[0])}, {
            "request": [overwrite("x-ffx-revision", number)],
            "response": [overwrite("ffx-revision", number)],
        }
    shares = [
        {
            "name": cluster_name(function, each),
            "weight": each.percent,
            "request_headers_to_add": [overwrite("x-ffx-revision", str(each.number))],
            "response_headers_to_add": [overwrite("ffx-revision", str(each.number))],
        }
        for each in serving
    ]
    return {"weighted_clusters": {"clusters": shares}}, {}


def _largest_payload(serving: list[TableRevision]) -> int | None:
    """Of a split, the larger bound counts here; the runtime holds each revision to its own."""
    bounds = [revision.payload_bytes for revision in serving]
    return None if None in bounds else max(bound for bound in bounds if bound is not None)


def _methods(regex: str | None) -> Json:
    return {} if regex is None else {"headers": [_header(":method", {"safe_regex": {"regex": regex}})]}


def _header(name: str, match: Json) -> Json:
    return {"name": name, "string_match": match}


def _input(name: str, header: str) -> Json:
    return {
        "name": name,
        "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header),
    }


def _route_list(routes: list[Json]) -> Json:
    return {"name": "routes", "typed_config": typed("envoy.config.route.v3.RouteList", routes=routes)}


def _on(action: Json) -> Json:
    return {"action": action}
