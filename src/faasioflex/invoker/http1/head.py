"""Heads of HTTP/1.1 messages: reading what an instance answers (strictly: it is a stranger's code), writing what we send."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\x00\r\n]*)\r\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class BadMessage(Exception):
    """What came is not HTTP/1.1; the message says what is wrong with it."""


@dataclass(frozen=True)
class ResponseHead:
    """Status line and fields as they came; ``minor`` is the 1 of HTTP/1.1."""

    status: int
    reason: bytes
    headers: Headers
    minor: int

    def get(self, name: bytes) -> bytes | None:
        """The first field of that lower-case name."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def tokens(self, name: bytes) -> list[bytes]:
        """The comma separated values of all fields of that name, lower case."""
        return list_tokens(self.headers, name)

    @property
    def keep_alive(self) -> bool:
        tokens = self.tokens(b"connection")
        return b"close" not in tokens and (self.minor == 1 or b"keep-alive" in tokens)


def list_tokens(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Comma separated values of every field called ``name`` (lower case), trimmed, lower case, in order."""
    found: list[bytes] = []
    for key, value in headers:
        if key.lower() == name:
            found += [token for part in value.split(b",") if (token := part.strip(b" \t").lower())]
    return found


def parse_response(block: bytes) -> ResponseHead:
    """Read a head up to and with its empty line.

    Raises: BadMessage.
    """
    line = _STATUS.match(block)
    if line is None:
        raise BadMessage("the status line is not one of HTTP/1.1")
    headers: Headers = []
    at = line.end()
    while not block.startswith(b"\r\n", at):
        field = _FIELD.match(block, at)
        if field is None:
            raise BadMessage("a header field is malformed")
        headers.append((field[1], field[2].strip(b" \t")))
        at = field.end()
    return ResponseHead(int(line[2]), line[3] or b"", headers, int(line[1]))


def content_length(headers: Headers) -> int | None:
    """Bytes of the body as declared, None where it is not.

    Raises: BadMessage where it is no number, or several that differ.
    """
    values = set(list_tokens(headers, b"content-length"))
    if not values:
        return None
    if len(values) > 1:
        raise BadMessage("several different Content-Length")
    (value,) = values
    if _LENGTH.fullmatch(value) is None:
        raise BadMessage("Content-Length is not a number")
    return int(value)


def write_head(first_line: bytes, headers: Headers) -> bytes:
    """Serialise; names and values come from a parser that refused CR, LF and NUL, or are our own."""
    parts = [first_line, b"\r\n"]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
