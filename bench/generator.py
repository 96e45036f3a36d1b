"""The load generator for machines without wrk: ``generator.py HOST:PORT PATH CONNECTIONS SECONDS``. Stands alone.

The token of who calls, if any, is in BENCH_TOKEN.

One process and one loop, so it is the bottleneck before a fast server is: ratios come out closer to 1 than they are.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

BODY = b'{"name": "Ada", "of": "Lovelace"}'


@dataclass
class Connection:
    sock: socket.socket
    since: float = 0.0
    got: bytearray = field(default_factory=bytearray)


def main(address: str, path: str, connections: int, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
    )
    if token := os.environ.get("BENCH_TOKEN"):
        head += f"Authorization: Bearer {token}\r\n"
    request = head.encode() + b"\r\n" + BODY
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        one = Connection(socket.create_connection((host, int(port))))
        one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(one.sock, selectors.EVENT_READ, one)
        _send(one, request)
    began = time.perf_counter()
    took: list[float] = []
    errors = 0
    while (now := time.perf_counter()) < began + seconds:
        for key, _ in selector.select(0.1):
            one = key.data
            data = one.sock.recv(65536)
            if not data:
                raise SystemExit("the server closed a connection")
            one.got += data
            if not _complete(one.got):
                continue
            took.append(time.perf_counter() - one.since)
            errors += not one.got.startswith(b"HTTP/1.1 2")
            _send(one, request)
    took.sort()
    at = {share: round(1000 * took[int(share * len(took))], 4) for share in (0.5, 0.99)}
    document = {"requests": len(took), "seconds": now - began, "errors": errors, "p50_ms": at[0.5], "p99_ms": at[0.99]}
    sys.stdout.write(json.dumps(document) + "\n")


def _send(one: Connection, request: bytes) -> None:
    one.got.clear()
    one.since = time.perf_counter()
    one.sock.sendall(request)


def _complete(got: bytearray) -> bool:
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(got[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return got.endswith(b"0\r\n\r\n")
    return len(got) >= end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
