"""What browsers ask before a page of another site may call a function, and what they look for in the answer."""

from __future__ import annotations

from aiohttp import web

from faasioflex.invoker.http1.head import Headers
from faasioflex.model.function import Cors

_OURS = b"access-control-"
_METHOD = "Access-Control-Request-Method"


def is_preflight(request: web.BaseRequest) -> bool:
    return request.method == "OPTIONS" and "Origin" in request.headers and _METHOD in request.headers


def allowed_origin(cors: Cors | None, request: web.BaseRequest) -> str | None:
    """The request's origin where pages from there may call; None without CORS."""
    origins = request.headers.getall("Origin", [])
    if cors is None or len(origins) != 1:
        return None
    return origins[0] if origins[0] in cors.allow_origins or "*" in cors.allow_origins else None


def preflight(cors: Cors, origin: str) -> dict[str, str]:
    """The fields that answer."""
    fields = {
        **_common(cors, origin),
        "Access-Control-Allow-Methods": ", ".join(cors.allow_methods),
        "Access-Control-Max-Age": str(cors.max_age_s),
    }
    if cors.allow_headers:
        fields["Access-Control-Allow-Headers"] = ", ".join(cors.allow_headers)
    return fields


def of_answer(headers: Headers, cors: Cors, origin: str) -> Headers:
    """An answer's fields with ours in the place of what the function says itself."""
    fields = _common(cors, origin)
    if cors.expose_headers:
        fields["Access-Control-Expose-Headers"] = ", ".join(cors.expose_headers)
    kept = [field for field in headers if not field[0].lower().startswith(_OURS)]
    return kept + [(name.encode(), value.encode()) for name, value in fields.items()]


def _common(cors: Cors, origin: str) -> dict[str, str]:
    fields = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if cors.allow_credentials:
        fields["Access-Control-Allow-Credentials"] = "true"
    return fields
