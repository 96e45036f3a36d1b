"""The routes that always stand: refusals, the API, the invoker; and the virtual host of the bootstrap that holds them."""

from __future__ import annotations

import re

from faasioflex.gateway.envoy import retries
from faasioflex.gateway.envoy.clusters import API, INVOKER
from faasioflex.gateway.envoy.proto import Json, also, overwrite, seconds
from faasioflex.gateway.envoy.scripts import ON_FUNCTIONS
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.rules import ORIGIN_WIDE_HEADERS, REFUSED_METHODS, REFUSED_PATH, SANDBOX

KIB = 1024
ROUTES = "ffx"
LIVE = "live"
VHOST_HEADER = "x-ffx-vhost"
ELSEWHERE = (VHOST_HEADER, "fixed")  # a call with this goes by the bootstrap's routes, so to the invoker
INSIDE_HEADER = "x-ffx-inside"  # a function calls, by FFX_URL
CLIENT_ID_HEADER = "x-ffx-client-id"  # the caller's X-Request-Id until the script has looked at it

# Who is at the other end. Envoy's own X-Forwarded-For does not say it of a peer on loopback: there it names this machine's address.
CLIENT_ADDRESS: Json = overwrite("x-ffx-address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")
# Of use between Envoy's own steps only.
OURS_ALONE = [VHOST_HEADER, CLIENT_ID_HEADER, INSIDE_HEADER, "x-envoy-external-address", "x-envoy-internal"]

# the API would only hand it on: the invoker checks as much, and is faster
EXECUTE: Json = {
    "path": "/functions/execute",
    "headers": [{"name": ":method", "string_match": {"exact": "POST"}}],
}


def refusals() -> list[Json]:
    """Answered here, whatever they were meant for: no part behind us has to agree on what ``..`` means."""
    return [
        {
            "name": "bad-path",
            "match": {"prefix": "/", "headers": [header_is(":path", {"safe_regex": {"regex": REFUSED_PATH}})]},
            "direct_response": {"status": 400},
        },
        {
            "name": "bad-method",
            "match": {"prefix": "/", "headers": [header_is(":method", {"safe_regex": {"regex": REFUSED_METHODS}})]},
            "direct_response": {"status": 405},
        },
    ]


def fixed_host(settings: EnvoySettings) -> Json:
    return {
        "name": "fixed",
        "domains": ["*"],
        "request_headers_to_remove": OURS_ALONE,
        "routes": [*refusals(), *fixed_routes(settings)],
    }


def fixed_routes(settings: EnvoySettings) -> list[Json]:
    """``/f/…`` and execute to the invoker, everything else to the API."""
    return [
        *host_rules(settings),
        *routes_to(INVOKER, EXECUTE, None, settings, {}),
        *routes_to(INVOKER, {"prefix": "/f/"}, retries.IDEMPOTENT, settings, function_answer(settings)),
        *routes_to(API, {"prefix": "/"}, retries.SAFE, settings, {}),
    ]


def host_rules(settings: EnvoySettings) -> list[Json]:
    """With a host name of their own functions answer there and nowhere else, and nothing else answers there."""
    if settings.functions_host is None:
        return []
    host = header_is(":authority", {"safe_regex": {"regex": rf"(?i){re.escape(settings.functions_host)}(?::\d+)?"}})
    elsewhere = {**host, "invert_match": True}
    outside = {"name": INSIDE_HEADER, "present_match": True, "invert_match": True}
    not_a_call = {**header_is(":path", {"prefix": "/f/"}), "invert_match": True}
    return [
        {
            "name": "function-elsewhere",
            "match": {"prefix": "/f/", "headers": [elsewhere, outside]},
            "direct_response": {"status": 404},
        },
        {
            "name": "no-function",
            "match": {"prefix": "/", "headers": [host, not_a_call]},
            "direct_response": {"status": 404},
        },
    ]


def function_answer(settings: EnvoySettings) -> Json:
    """What is done to every answer and request below ``/f/``, because functions share an origin with the console."""
    if settings.functions_host is not None:
        return {"typed_per_filter_config": ON_FUNCTIONS}
    return {
        "response_headers_to_add": [also("content-security-policy", SANDBOX)],
        "response_headers_to_remove": ORIGIN_WIDE_HEADERS,
        "typed_per_filter_config": ON_FUNCTIONS,
    }


def header_is(name: str, match: Json) -> Json:
    """A header matcher of a route."""
    return {"name": name, "string_match": match}


def methods_are(regex: str | None) -> Json:
    """The part of a route's match; None is every method."""
    return {} if regex is None else {"headers": [header_is(":method", {"safe_regex": {"regex": regex}})]}


def routes_to(cluster: str, match: Json, again: str | None, settings: EnvoySettings, answer: Json) -> list[Json]:
    """One route for the methods that may be sent ``again`` after a broken connection, one for the others; None: there are none."""
    return [
        {
            "name": f"{cluster} {'again' if methods else 'once'}",
            "match": {**match, **methods_are(methods)},
            "route": {
                "cluster": cluster,
                "timeout": "0s",
                "idle_timeout": seconds(settings.longest_timeout_s + 60),
                "retry_policy": retries.waiting(resets=methods is not None, longer=again is None),
            },
            # said, because a request that came by another route before would keep that one's
            "request_body_buffer_limit": 64 * KIB,
            "request_headers_to_add": [CLIENT_ADDRESS],
            **answer,
        }
        for methods in ((again, None) if again else (None,))
    ]
