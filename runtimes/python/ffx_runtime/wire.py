"""HTTP/1.1 as bytes: status lines and header blocks of answers."""

from __future__ import annotations

import http
import re
from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]

_PHRASES = {int(status): status.phrase for status in http.HTTPStatus}
STATUS_LINES = {code: f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(200, 600)}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
# Framing belongs to this server. Upgrade and the rest of hop-by-hop would be lies on this connection.
_FRAMING = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)


class BadAnswer(Exception):
    """The function answered with something that cannot be sent; the message says what."""


def encode(headers: Headers) -> tuple[bytes, int | None]:
    """Header lines ready to send, and the content-length among them (taken out: the exchange writes it).

    Framing headers and ``x-ffx-*``, the platform's own, are dropped.
    Raises: BadAnswer for a name or value that HTTP does not allow.
    """
    lines = []
    length = None
    for name, value in headers:
        lower = name.lower()
        if lower in _FRAMING or lower[:6] == b"x-ffx-":
            continue
        if _NAME(lower) is None:
            raise BadAnswer(f"{name!r} is not a header's name")
        if _BAD_VALUE(value) is not None:
            raise BadAnswer(f"the value of the header {name.decode('latin-1')} holds a line break or control character")
        if lower == b"content-length":
            if not value.strip().isdigit():
                raise BadAnswer("content-length is not a number")
            length = int(value)
            continue
        lines.append(b"%b: %b\r\n" % (lower, value))
    return b"".join(lines), length


def carries_body(method: str, status: int) -> bool:
    return method != "HEAD" and status not in (204, 304)
