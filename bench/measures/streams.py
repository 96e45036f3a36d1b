"""Streams: how late each piece arrives, 1 GiB up and down and what that leaves in the memory of each part; answers from the cache.

``direct``: by the gateway to the instance. ``invoker``: by the gateway and the invoker, as while a function starts, when its
instances are full, and always for functions with kept answers.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bench.bench import Amount, say
from bench.figures import Json, percentiles
from bench.platform_under_test import Platform, running
from faasioflex.runtime.processes import ProcessTable

MIB = 1024 * 1024
PIECE = b"x" * (64 * 1024)
PAUSE_S = 0.005  # between events
LOOK_S = 0.02
APP = """
import asyncio, time

async def begin(send, kind=b"application/octet-stream"):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path, asked = scope["path"], scope["query_string"].decode()
    if path == "/upload":
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await begin(send)
        await send({"type": "http.response.body", "body": b"%d" % size})
    elif path == "/download":
        await begin(send)
        piece = b"x" * 65536
        for _ in range(int(asked)):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    elif path == "/events":
        await begin(send, b"text/event-stream")
        for _ in range(int(asked)):
            await asyncio.sleep(%PAUSE%)
            told = b"data: %d\\n\\n" % time.monotonic_ns()
            await send({"type": "http.response.body", "body": told, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await begin(send)
        await send({"type": "http.response.body", "body": b"hello"})
""".replace("%PAUSE%", str(PAUSE_S))
FIELDS: Json = {"handler": "main:app", "scaling": {"min_instances": 1, "max_instances": 1, "idle_s": 3600}}
UNBOUNDED = {"payload_bytes": None, "timeout_s": 120, "cpu": 2, "concurrency": 100, "memory_bytes": 256 * MIB}
# The cache never keeps an upload, a stream of events or 1 GiB, so «invoker» is the invoker's own way.
WAYS: dict[str, Json] = {"direct": {}, "invoker": {"cache": {"ttl_s": 3600}}}


def measure(data: Path, amount: Amount) -> Json:
    with running(data) as platform:
        for way, fields in WAYS.items():
            platform.deploy(way, "python", {"main.py": APP}, **FIELDS, **fields, limits=UNBOUNDED)
        return {
            "mib": amount.stream_mib,
            "ways": {way: _through(platform, way, amount) for way in WAYS},
            "event_ms": {way: _events(platform, way, amount.events) for way in WAYS},
            "answer_ms": {
                "live call, direct": _calls(platform, "direct", amount.events),
                "kept answer": _calls(platform, "invoker", amount.events),
            },
        }


def _through(platform: Platform, way: str, amount: Amount) -> Json:
    pieces = amount.stream_mib * MIB // len(PIECE)
    _up(platform, way, 64)
    _down(platform, way, 64)
    found: Json = {}
    for name, go in (("up", _up), ("down", _down)):
        with Watch(platform) as watch:
            took_s = go(platform, way, pieces)
        found[name] = {"mib_per_s": round(amount.stream_mib / took_s), "grown_mib": watch.grown_mib()}
        say(f"  {way} {name}: {found[name]['mib_per_s']} MiB/s, grown {found[name]['grown_mib']}")
    return found


class Watch:
    """The resident memory of gateway, invoker and all instances together while it is entered, at its highest."""

    def __init__(self, platform: Platform) -> None:
        pids = platform.pids()
        self._launcher = pids["launcher"]
        self._parts = {name: [pids[name]] for name in ("envoy", "invoker")}
        self._parts["instances"] = [one.pid for one in ProcessTable.scan().tree(self._launcher)]
        self._before = self._look()
        self._highest = dict(self._before)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def grown_mib(self) -> dict[str, float]:
        return {name: round((most - self._before[name]) / MIB, 1) for name, most in self._highest.items()}

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            for name, now in self._look().items():
                self._highest[name] = max(self._highest[name], now)

    def _look(self) -> dict[str, int]:
        return {name: sum(_resident_bytes(pid) for pid in pids) for name, pids in self._parts.items()}


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def _up(platform: Platform, way: str, pieces: int) -> float:
    began = time.perf_counter()
    with _asked(platform, way, "POST", "/upload", (PIECE for _ in range(pieces))) as answer:
        if int(answer.read()) != pieces * len(PIECE):
            raise RuntimeError("not everything arrived")
    return time.perf_counter() - began


def _down(platform: Platform, way: str, pieces: int) -> float:
    began = time.perf_counter()
    size = 0
    with _asked(platform, way, "GET", f"/download?{pieces}") as answer:
        while got := answer.read1(1 << 20):
            size += len(got)
    if size != pieces * len(PIECE):
        raise RuntimeError("not everything arrived")
    return time.perf_counter() - began


def _events(platform: Platform, way: str, count: int) -> Json:
    """From the function's clock before it writes an event to the client's after it has read it: both are the machine's."""
    late: list[float] = []
    with _asked(platform, way, "GET", f"/events?{count}") as answer:
        while line := answer.readline():
            if line.strip():
                late.append((time.monotonic_ns() - int(line.split()[1])) / 1e6)
    found = percentiles(late)
    say(f"  events, {way}: {found['p50']} ms")
    return found


def _calls(platform: Platform, way: str, count: int) -> Json:
    connection = _connection(platform)
    took: list[float] = []
    for _ in range(count + 1):
        began = time.perf_counter()
        connection.request("GET", f"/f/admin/{way}/hello", headers={"Authorization": f"Bearer {platform.token}"})
        answer = connection.getresponse()
        answer.read()
        took.append(1000 * (time.perf_counter() - began))
    connection.close()
    kept = "hit" in (answer.headers["Cache-Status"] or "")
    if kept != (way == "invoker"):
        raise RuntimeError(f"{way}: Cache-Status {answer.headers['Cache-Status']}")
    return percentiles(took[1:])


def _connection(platform: Platform) -> http.client.HTTPConnection:
    where = urlsplit(platform.url)
    return http.client.HTTPConnection(where.hostname or "", where.port, timeout=300)


def _asked(platform: Platform, way: str, method: str, path: str, body: Iterator[bytes] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {platform.token}", "Connection": "close"}
    if body is not None:
        headers["Transfer-Encoding"] = "chunked"
    connection = _connection(platform)
    connection.request(method, f"/f/admin/{way}{path}", body=body, headers=headers, encode_chunked=body is not None)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status} {answer.read(500)!r}")
    return answer
