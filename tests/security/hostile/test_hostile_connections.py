"""Connections that are held: by clients that send slowly, by functions that answer slowly, by many of both."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

from security.hostile.conftest import SCALING
from support.hostile_platform import WalledPlatform, settle

MANY = 300
DRIPS = """
import time
def handle(event, context):
    for _ in range(100000):
        yield "."
        time.sleep(0.5)
"""


def head(platform: WalledPlatform, method: str, name: str) -> bytes:
    """What a call begins with, up to its last field."""
    fields = {"Host": "x", "Content-Type": "application/json", **platform.headers}
    lines = [f"{method} /f/admin/{name} HTTP/1.1", *(f"{field}: {value}" for field, value in fields.items())]
    return "".join(f"{line}\r\n" for line in lines).encode()


def answered_s(platform: WalledPlatform) -> float:
    begun = time.monotonic()
    assert platform.call("POST", "/f/admin/neighbour", {}, timeout_s=20).json() == {"fine": True}
    return time.monotonic() - begun


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it (with or without an answer)."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            continue
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def test_slow_heads(platform: WalledPlatform) -> None:
    """Clients that never come to the end of a head: others are answered, and the slow ones are cut after ten seconds."""
    with ExitStack() as kept:
        slow = [kept.enter_context(platform.socket()) for _ in range(MANY)]
        for connection in slow:
            connection.sendall(head(platform, "POST", "neighbour") + b"X-Slow: ")
        assert answered_s(platform) < 10
        assert platform.ready()
        drip_until_closed(slow, 25)


def drip_until_closed(connections: list[socket.socket], within_s: float) -> None:
    """Send a byte now and then, so that silence is not what ends them."""
    deadline = time.monotonic() + within_s
    left = list(connections)
    while left:
        assert time.monotonic() < deadline, f"{len(left)} connections are still held"
        for connection in left:
            try:
                connection.setblocking(True)
                connection.send(b"x")
            except OSError:
                continue
        left = [connection for connection in left if not is_closed(connection)]
        time.sleep(0.5)  # the pace of a slow client


def test_slow_bodies(platform: WalledPlatform) -> None:
    """Bodies that do not come hold places of their own function only, and end with its deadline."""
    platform.deploy(
        "held",
        "python",
        {"main.py": "def handle(e, c): return 1\n"},
        limits={"timeout_s": 3, "concurrency": 5},
        scaling=SCALING,
    )
    with ExitStack() as kept:
        slow = [kept.enter_context(platform.socket()) for _ in range(60)]
        for connection in slow:
            connection.sendall(head(platform, "POST", "held") + b"Content-Length: 1000\r\n\r\n{")
        assert answered_s(platform) < 10
        settle(lambda: sum(is_closed(one) or True for one in slow) == 60, "looked at")
        settle(lambda: platform.call("POST", "/f/admin/held", {}).status in (200, 429), "it is answered")
        settle(lambda: platform.call("POST", "/f/admin/held", {}).status == 200, "their places are free again", 40)
    platform.delete("held")


def test_clients_that_do_not_read(platform: WalledPlatform) -> None:
    """Large answers to nobody fill no memory of ours."""
    big = "def handle(event, context):\n    for _ in range(10_000):\n        yield b'x' * 65536\n"
    platform.deploy("wide", "python", {"main.py": big}, limits={"timeout_s": 3, "concurrency": 40}, scaling=SCALING)
    with ExitStack() as kept:
        for _ in range(30):
            connection = kept.enter_context(platform.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(head(platform, "GET", "wide") + b"\r\n")
        assert answered_s(platform) < 10
        assert platform.ready()
    platform.delete("wide")


def test_functions_that_drip(platform: WalledPlatform) -> None:
    """Answers without end hold places of their own function; one that is full says so, the others go on."""
    platform.deploy(
        "drips",
        "python",
        {"main.py": DRIPS},
        limits={"timeout_s": 3, "concurrency": 10, "queue": 5, "queue_wait_s": 1},
        scaling=SCALING,
    )
    with ExitStack() as kept:
        for _ in range(10):
            connection = kept.enter_context(platform.socket())
            connection.sendall(head(platform, "GET", "drips") + b"\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert platform.call("GET", "/f/admin/drips", timeout_s=20).status == 429
        assert answered_s(platform) < 10
    settle(lambda: first_line(platform).startswith(b"HTTP/1.1 200"), "places of clients that have gone are free")
    platform.delete("drips")


def first_line(platform: WalledPlatform) -> bytes:
    with platform.socket() as connection:
        connection.sendall(head(platform, "GET", "drips") + b"\r\n")
        return connection.recv(100)
