"""CORS of a function: Envoy answers preflights and writes the headers of answers, with or without instances.

A preflight has no token, so it is answered before anybody asks who calls.
"""

from __future__ import annotations

from faasioflex.gateway.envoy.proto import Json, also, typed
from faasioflex.model.function import Cors

NAME = "envoy.filters.http.cors"
_CORS = "envoy.extensions.filters.http.cors.v3"
FILTER: Json = {"name": NAME, "typed_config": typed(f"{_CORS}.Cors")}


def on_answer(cors: Cors | None, answer: Json) -> Json:
    """``answer``, what is done on all routes of functions, with the policy of one of them."""
    if cors is None:
        return answer
    return {
        **answer,
        "typed_per_filter_config": {**answer["typed_per_filter_config"], NAME: policy(cors)},
        "response_headers_to_add": [*answer.get("response_headers_to_add", []), also("vary", "origin")],
    }


def policy(cors: Cors) -> Json:
    return typed(
        f"{_CORS}.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in cors.allow_origins],
        allow_methods=", ".join(cors.allow_methods),
        allow_headers=", ".join(cors.allow_headers),
        expose_headers=", ".join(cors.expose_headers),
        max_age=str(cors.max_age_s),
        allow_credentials=cors.allow_credentials,
    )
