"""RFC 9457 problem documents: the one shape in which every part of the platform reports an error over HTTP."""

from __future__ import annotations

import json
from typing import Any

from faasioflex.model.errors import FfxError, NotAuthenticated

PROBLEM_TYPE_BASE = "https://faasioflex.dev/problems/"
PROBLEM_CONTENT_TYPE = "application/problem+json"


def problem(error: FfxError, request_id: str) -> dict[str, Any]:
    """The document: ``type, title, status, detail, code, request_id``, and ``errors`` (pointer, message) where there are any."""
    document: dict[str, Any] = {
        "type": PROBLEM_TYPE_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [{"pointer": one.pointer, "message": one.message} for one in error.errors]
    return document


def problem_body(error: FfxError, request_id: str) -> bytes:
    """:func:`problem` as UTF-8 JSON."""
    return json.dumps(problem(error, request_id), ensure_ascii=False).encode()


def problem_headers(error: FfxError) -> dict[str, str]:
    """Content-Type, Retry-After (whole seconds) where the error says when to come back, WWW-Authenticate with a 401."""
    headers = {"Content-Type": PROBLEM_CONTENT_TYPE}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return headers
