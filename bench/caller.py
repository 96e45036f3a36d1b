"""One caller on one kept connection, TCP or unix: what a call takes when nothing else happens."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bench.load import BODY, TYPE

TIMEOUT_S = 60.0


class Caller:
    """``address``: ``http://host:port/path`` or ``unix:/path`` (asked for ``/``). ``token``: of who calls."""

    def __init__(self, address: str, token: str | None = None) -> None:
        if address.startswith("unix:"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(address.removeprefix("unix:"))
            host, path = "localhost", "/"
        else:
            where = urlsplit(address)
            host, path = where.netloc, where.path or "/"
            self._socket = socket.create_connection((where.hostname or "", where.port or 80), TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {TYPE}\r\nContent-Length: {len(BODY)}\r\n"
        head += f"Authorization: Bearer {token}\r\n\r\n" if token else "\r\n"
        self._request = head.encode() + BODY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self) -> tuple[float, bytes]:
        """Seconds from sending to the end of the answer, and its body.

        Raises: RuntimeError for an answer that is not 200, OSError.
        """
        began = time.perf_counter()
        self._socket.sendall(self._request)
        got = self._socket.recv(65536)
        while not _complete(got):
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"the connection was closed in an answer: {got[:200]!r}")
            got += more
        took = time.perf_counter() - began
        head, _, body = got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"answered {head[:60]!r} {body[:300]!r}")
        return took, _body(head, body)


def once(address: str, token: str | None = None) -> tuple[float, bytes]:
    """A call on a connection of its own, whose making counts."""
    began = time.perf_counter()
    with Caller(address, token) as caller:
        _, body = caller.call()
        return time.perf_counter() - began, body


def _complete(got: bytes) -> bool:
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _length(head)
    return body.endswith(b"0\r\n\r\n") if length is None else len(body) >= length


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None


def _body(head: bytes, body: bytes) -> bytes:
    if _length(head) is not None:
        return body
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        count = int(size, 16)
        whole += rest[:count]
        body = rest[count + 2 :] if count else b""
    return whole
