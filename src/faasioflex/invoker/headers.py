"""Which header fields pass, in both directions."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from faasioflex.invoker.http1.head import Headers, list_tokens

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
OURS = b"x-ffx-"
PROOF = b"ffx-proof"  # by which the gateway knows our answers: gateway/envoy/scripts.py
_TIMING = b"server-timing"
_OUR_TIMINGS = b"ffx-"
SET_TOWARDS_INSTANCE = frozenset({b"content-length", b"expect", b"x-request-id", b"x-forwarded-prefix"})
SET_TOWARDS_CLIENT = frozenset({b"ffx-revision", b"x-request-id", PROOF})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:@/+=,-]{1,128}", re.ASCII)


def request_id(given: str | None) -> str:
    """The caller's where it is a sane one, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


def towards_instance(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """A client's fields without those of the connection, of the platform, and those that :class:`Call` sets."""
    return _pass(list(headers), SET_TOWARDS_INSTANCE)


def towards_client(headers: Headers, revision: int, request: str, start_ms: float | None) -> Headers:
    """An instance's fields, and ours: Ffx-Revision, X-Request-Id, Server-Timing where the call waited for a start."""
    passed = [pair for one in _pass(headers, SET_TOWARDS_CLIENT) if (pair := _own_timings(*one)) is not None]
    passed.append((b"Ffx-Revision", str(revision).encode()))
    passed.append((b"X-Request-Id", request.encode()))
    if start_ms is not None:
        passed.append((b"Server-Timing", server_timing(start_ms).encode()))
    return passed


def _own_timings(name: bytes, value: bytes) -> tuple[bytes, bytes] | None:
    """A field without metrics that look like ours; None where nothing is left of it."""
    if name.lower() != _TIMING or _OUR_TIMINGS not in value.lower():
        return name, value
    kept = [one.strip() for one in value.split(b",") if not one.strip().lower().startswith(_OUR_TIMINGS)]
    return (name, b", ".join(kept)) if kept else None


def server_timing(start_ms: float) -> str:
    """The value for a call that waited so long for a start."""
    return f"ffx-start;dur={start_ms:.1f}"


def _pass(headers: Headers, replaced: frozenset[bytes]) -> Headers:
    dropped = HOP_BY_HOP | replaced | frozenset(list_tokens(headers, b"connection"))
    return [
        (name, value)
        for name, value in headers
        if (lower := name.lower()) not in dropped and not lower.replace(b"_", b"-").startswith(OURS)
    ]
