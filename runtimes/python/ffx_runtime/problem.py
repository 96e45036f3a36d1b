"""The platform's own answers: RFC 9457 problem documents."""

from __future__ import annotations

import json

_KNOWN = {
    "bad-request": (400, "The request cannot be read"),
    "payload-too-large": (413, "Too large"),
    "headers-too-large": (431, "The request's headers are too large"),
    "instance-full": (429, "Too many calls"),
    "function-error": (500, "The function failed"),
    "deadline-exceeded": (504, "The deadline has passed"),
}
OVERFLOW = b"x-ffx-overflow: 1\r\nretry-after: 1\r\n"


def problem(code: str, detail: str, request_id: str | None) -> tuple[int, bytes, bytes]:
    """Status, header lines and body of the answer with this ``code``."""
    status, title = _KNOWN[code]
    document = {
        "type": f"https://faasioflex.dev/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    lines = b"content-type: application/problem+json\r\n"
    if code == "instance-full":
        lines += OVERFLOW
    return status, lines, json.dumps(document).encode()
