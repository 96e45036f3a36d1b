"""The proxy that HTTP clients in a sandbox speak to: CONNECT, and plain requests with the whole URL."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass

import h11

from faasioflex.gateway.egress.pipe import PIECE_BYTES, Stream
from faasioflex.model.egress import canonical
from faasioflex.model.errors import BadRequest, FfxError, NotAllowed, Unavailable

HEAD_WITHIN_S = 10.0
# What real clients send is far below; what h11 reads takes it long per line, and all sandboxes wait meanwhile.
LONGEST_HEAD_BYTES, MOST_HEAD_LINES = 8 * 1024, 100
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_CONNECT_LINE = re.compile(rb"CONNECT (?=[!-~]+ )(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@]+):([1-9][0-9]{0,4}) HTTP/1\.[01]")
_PLAIN_TARGET = re.compile(rb"(?i:http)://(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@]+)(?::([1-9][0-9]{0,4}))?([/?][^\s#]*)?")
_NOT_PASSED_ON = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"host"}


class NotHttp(Exception):
    """What came is no request that a proxy takes; the message says why."""

    status = BadRequest.status


class HeadTooLarge(NotHttp):
    """The head of a request is longer than is read here."""

    status = 431


@dataclass(frozen=True)
class Head:
    """Of a request, not looked into yet. ``content`` ends with its empty line, ``rest`` is what came behind it."""

    content: bytes
    rest: bytes

    @property
    def lines_to_read(self) -> int:
        """How many :func:`parse` has to look at: of a CONNECT only the first says something."""
        return 1 if self.content.startswith(b"CONNECT ") else self.content.count(b"\n")


@dataclass(frozen=True)
class Asked:
    """``first``: what is to be sent on to the host before anything else; empty for a CONNECT."""

    host: str
    port: int
    tunnel: bool
    first: bytes


async def read_head(stream: Stream) -> Head:
    """Raises: HeadTooLarge, OSError (TimeoutError among them)."""
    buffer = b""
    async with asyncio.timeout(HEAD_WITHIN_S):
        while (end := buffer.find(b"\r\n\r\n", 0, LONGEST_HEAD_BYTES)) < 0:
            if len(buffer) >= LONGEST_HEAD_BYTES:
                raise HeadTooLarge(f"the head of the request is longer than {LONGEST_HEAD_BYTES} bytes")
            piece = await stream.reader.read(PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("it ended before its head")
            buffer += piece
    head = Head(buffer[: end + 4], buffer[end + 4 :])
    if head.content.count(b"\n") > MOST_HEAD_LINES:
        raise HeadTooLarge(f"the head of the request has more than {MOST_HEAD_LINES} lines")
    return head


def parse(head: Head) -> Asked:
    """Raises: NotHttp."""
    if head.content.startswith(b"CONNECT "):
        target = _matched(_CONNECT_LINE, head.content.partition(b"\r\n")[0])
        return Asked(*_host_and_port(target), tunnel=True, first=head.rest)
    request = _read(head.content)
    target = _matched(_PLAIN_TARGET, request.target)
    return Asked(*_host_and_port(target), tunnel=False, first=_origin_form(request, target) + head.rest)


def _read(head: bytes) -> h11.Request:
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD_BYTES)
    try:
        server.receive_data(head)
        event = server.next_event()
    except h11.RemoteProtocolError as error:
        raise NotHttp(f"the request cannot be read: {error}") from error
    if not isinstance(event, h11.Request):
        raise NotHttp("the request cannot be read")
    return event


def _matched(what: re.Pattern[bytes], text: bytes) -> re.Match[bytes]:
    found = what.fullmatch(text)
    if found is None:
        raise NotHttp("a proxy takes CONNECT host:port, or a request with the whole URL, like GET http://host/path")
    return found


def _host_and_port(found: re.Match[bytes]) -> tuple[str, int]:
    port = int(found[2] or 80)
    try:
        host = canonical(found[1].decode())
    except ValueError as error:
        raise NotHttp(str(error)) from error
    if port > 65535:
        raise NotHttp("a port is a number from 1 to 65535")
    return host, port


def _origin_form(request: h11.Request, target: re.Match[bytes]) -> bytes:
    """The head as the host itself gets it. One request per connection: the next may be for another host."""
    path = target[3] or b"/"
    path = path if path.startswith(b"/") else b"/" + path
    host = target[1] + (b":" + target[2] if target[2] else b"")
    lines = [b"%s %s HTTP/1.1" % (request.method, path), b"Host: " + host]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw_items() if _passes(name)]
    upgrade = any(name.lower() == b"upgrade" for name, _ in request.headers.raw_items())
    lines.append(b"Connection: upgrade" if upgrade else b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _passes(name: bytes) -> bool:
    return name.lower() not in _NOT_PASSED_ON


def refusal(error: NotHttp | NotAllowed | Unavailable) -> bytes:
    """A whole answer with a problem document."""
    kind: type[FfxError] = type(error) if isinstance(error, FfxError) else BadRequest
    status = 502 if kind is Unavailable else error.status
    document = {
        "type": f"https://faasioflex.dev/problems/{kind.code}",
        "title": kind.title,
        "status": status,
        "detail": str(error),
        "code": kind.code,
    }
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} {kind.title}\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
