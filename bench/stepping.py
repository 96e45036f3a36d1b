"""Load in steps: ``stepping.py HOST:PORT PATH CONNECTIONS:SECONDS…``, every call told as ``[began_s, took_ms, status]``. Stands alone.

Seconds count from the first call; status 0 is a broken connection. The token of who calls, if any, is in BENCH_TOKEN. Each
connection has one call after the other, so that what is in progress is the number of connections.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

BODY = b'{"name": "Ada"}'
FINISH_S = 30.0


@dataclass
class Connection:
    sock: socket.socket
    since: float = 0.0
    got: bytearray = field(default_factory=bytearray)


class Load:
    def __init__(self, address: str, path: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
        if token := os.environ.get("BENCH_TOKEN"):
            head += f"Authorization: Bearer {token}\r\n"
        self._request = head.encode() + b"\r\n" + BODY
        self._selector = selectors.DefaultSelector()
        self._open = 0
        self._began = 0.0
        self.told: list[tuple[float, float, int]] = []

    def run(self, steps: list[tuple[int, float]]) -> None:
        self._began = time.perf_counter()
        until = self._began
        for connections, seconds in steps:
            until += seconds
            while self._open < connections:
                self._connect()
            while time.perf_counter() < until:
                self._turn(connections)
        while self._open and time.perf_counter() < until + FINISH_S:
            self._turn(0)

    def _turn(self, connections: int) -> None:
        for key, _ in self._selector.select(0.05):
            one: Connection = key.data
            status = self._read(one)
            if status is None:
                continue
            now = time.perf_counter()
            self.told.append((round(one.since - self._began, 4), round(1000 * (now - one.since), 3), status))
            if status == 0 or self._open > connections:
                self._close(one)
            else:
                self._send(one)
        while 0 < self._open < connections:  # one was broken
            self._connect()

    def _read(self, one: Connection) -> int | None:
        """The status of a whole answer, None while there is more of it to come."""
        try:
            data = one.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            return 0
        one.got += data
        return int(one.got[9:12]) if _complete(one.got) else None

    def _connect(self) -> None:
        one = Connection(socket.create_connection(self._address))
        one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(one.sock, selectors.EVENT_READ, one)
        self._open += 1
        self._send(one)

    def _close(self, one: Connection) -> None:
        self._selector.unregister(one.sock)
        one.sock.close()
        self._open -= 1

    def _send(self, one: Connection) -> None:
        one.got.clear()
        one.since = time.perf_counter()
        one.sock.sendall(self._request)


def _complete(got: bytearray) -> bool:
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(got[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return got.endswith(b"0\r\n\r\n") or head.startswith((b"http/1.1 204", b"http/1.1 304"))
    return len(got) >= end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])


def main() -> None:
    load = Load(sys.argv[1], sys.argv[2])
    load.run([(int(count), float(seconds)) for count, _, seconds in (step.partition(":") for step in sys.argv[3:])])
    sys.stdout.write(json.dumps(load.told) + "\n")


main()
