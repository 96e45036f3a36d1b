"""Clients that call a function without pause, and the judge of what may fail while things are killed around them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx

PATIENCE_S = 3.0  # a refused connection is tried again that long
SETTLES_S = 0.1  # a kill takes effect within that, so a call begun that late may still be inside what was killed
TIMEOUT_S = 40.0


@dataclass(frozen=True)
class Kill:
    """``what``: instance, launcher, invoker, envoy, nats, control. Seconds of the monotonic clock."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Failure:
    method: str
    began: float
    ended: float
    what: str


@dataclass
class Tally:
    """What all callers saw. ``refused_s``: the longest that a client had to repeat a refused connection."""

    calls: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    refused_s: float = 0.0
    longest_s: float = 0.0

    @contextlib.contextmanager
    def killing(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.kills.append(Kill(what, began, time.monotonic()))

    def excuse(self, failure: Failure) -> str | None:
        """The kill that explains it: the call was inside what was killed, and repeating it was not allowed (issue item 9)."""
        for kill in self.kills:
            inside = failure.began <= kill.ended + SETTLES_S and failure.ended >= kill.began
            if not inside:
                continue
            if kill.what == "envoy" and failure.what.startswith("connection"):
                return "envoy"
            if kill.what in ("instance", "launcher", "invoker") and failure.method == "POST":
                return kill.what
        return None

    @property
    def excused(self) -> Counter[str]:
        return Counter(excuse for failure in self.failures if (excuse := self.excuse(failure)))

    @property
    def lost(self) -> list[Failure]:
        return [failure for failure in self.failures if self.excuse(failure) is None]


async def _call_once(client: httpx.AsyncClient, method: str, url: str) -> str | None:
    """None, or what went wrong."""
    body = {"n": 1}
    answer = await (client.get(url) if method == "GET" else client.post(url, json=body))
    if answer.status_code != 200:
        return f"status {answer.status_code}: {answer.text[:200]}"
    if method == "POST" and answer.json()["body"] != body:
        return f"wrong answer: {answer.text[:200]}"
    return None


async def _call(client: httpx.AsyncClient, method: str, url: str, tally: Tally) -> None:
    began = time.monotonic()
    wait_s = 0.02
    while True:
        tried = time.monotonic()
        try:
            wrong = await _call_once(client, method, url)
        except httpx.ConnectError as error:
            if time.monotonic() - began < PATIENCE_S:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 0.3)
                continue
            wrong = f"connection refused for {PATIENCE_S} s: {error!r}"
        except httpx.HTTPError as error:
            wrong = f"connection: {error!r}"
        ended = time.monotonic()
        tally.calls[method] += 1
        tally.longest_s = max(tally.longest_s, ended - began)
        tally.refused_s = max(tally.refused_s, tried - began)
        if wrong is not None:
            tally.failures.append(Failure(method, tried, ended, wrong))
        return


async def _caller(
    method: str, url: str, tally: Tally, auth: httpx.Auth | None, *, keep_alive: bool, pause_s: float
) -> None:
    limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
    async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S, trust_env=False, auth=auth) as client:
        while True:
            await _call(client, method, url, tally)
            await asyncio.sleep(pause_s)


@contextlib.asynccontextmanager
async def calling(
    url: str, tally: Tally, auth: httpx.Auth | None = None, *, each: int = 2, pause_s: float = 0.002
) -> AsyncIterator[None]:
    """``each`` callers of every kind: GET and POST, with kept and with new connections. They finish their last call."""
    tasks = [
        asyncio.create_task(_caller(method, url, tally, auth, keep_alive=keep_alive, pause_s=pause_s))
        for method in ("GET", "POST")
        for keep_alive in (True, False)
        for _ in range(each)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
