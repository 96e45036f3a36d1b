"""Streams, long calls and kept answers on a whole platform: through the real gateway, invoker and runtime, by the order of events."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from support.deadline import awaited, eventually
from support.platform_process import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MIB = 1 << 20
APP = """
import asyncio, json

state = {"cancelled": 0, "read": 0, "calls": 0}
steps = {}

def step(scope):
    return steps.setdefault(scope["query_string"].decode(), asyncio.Semaphore(0))

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        return await echo(receive, send)
    if scope["type"] != "http":
        return
    state["calls"] += 1
    await globals()[scope["path"].strip("/")](scope, receive, send)

async def answer(send, value, *fields):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), *fields]})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})

async def said(scope, receive, send):
    await answer(send, state)

async def go(scope, receive, send):
    step(scope).release()
    await answer(send, None)

async def events(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(3):
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
        await step(scope).acquire()
    await send({"type": "http.response.body"})

async def upload(scope, receive, send):
    state["read"] = size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        state["read"] = size
        more = message.get("more_body", False)
    await answer(send, size)

async def download(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    piece = b"x" * 65536
    for _ in range(int(scope["query_string"])):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})

async def hold(scope, receive, send):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        state["cancelled"] += 1
        raise

async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="ffx-streams-"))
    made = Platform(folder / "d")
    try:
        made.start()
        with made.client() as http:
            for name, fields in (
                ("direct", {"scaling": {"min_instances": 1}}),
                ("cold", {}),
                ("kept", {"cache": {"ttl_s": 600}, "visibility": "public"}),
            ):
                limits = {"payload_bytes": None, "timeout_s": 60}
                body = {"name": name, "runtime": "python", "handler": "main:app", "limits": limits, **fields}
                answer = http.post("/functions/register?wait_s=60", json=body | {"source": {"files": {"main.py": APP}}})
                assert answer.json()["status"]["state"] in ("ready", "idle"), answer.text
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


class Caller:
    """Of one function: ``direct`` is reached by the gateway alone, ``kept`` always by the invoker."""

    def __init__(self, platform: Platform, session: aiohttp.ClientSession, name: str) -> None:
        self.base = f"{platform.url}/f/admin/{name}"
        self.session = session

    async def said(self) -> dict[str, int]:
        found: dict[str, int] = await self.json("said")
        return found

    async def json(self, path: str, **how: Any) -> Any:
        how.setdefault("headers", {"Cache-Control": "no-store"})
        async with self.session.request(how.pop("method", "GET"), f"{self.base}/{path}", **how) as got:
            assert got.status == 200, await got.text()
            return await got.json(content_type=None)


@pytest.fixture
async def session(platform: Platform) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=platform.headers, timeout=aiohttp.ClientTimeout(60)) as made:
        yield made


WAYS = pytest.mark.parametrize("way", ["direct", "kept"])


def scale_to_zero(platform: Platform, name: str) -> None:
    with platform.client() as http:
        assert http.put(f"/functions/admin/{name}/scale", json={"instances": 0}).status_code == 200


@pytest.mark.parametrize("way", ["direct", "kept", "cold"])
async def test_each_event_arrives_before_the_next_is_made(
    platform: Platform, session: aiohttp.ClientSession, way: str
) -> None:
    """``cold``: by the invoker, which holds the call while an instance starts."""
    caller = Caller(platform, session, way)
    if way == "cold":
        scale_to_zero(platform, way)

        async def idle() -> bool:
            async with session.get(f"{platform.url}/functions/admin/{way}") as got:
                return bool((await got.json())["status"]["ready_instances"] == 0)

        await awaited(idle, "it has no instance")
    async with session.get(f"{caller.base}/events?{way}") as got:
        for number in range(3):
            assert await got.content.readuntil(b"\n\n") == b"data: %d\n\n" % number
            await caller.json(f"go?{way}")
        assert await got.content.read() == b""


@WAYS
async def test_the_first_bytes_of_a_body_are_there_before_the_last_are_sent(
    platform: Platform, session: aiohttp.ClientSession, way: str
) -> None:
    caller = Caller(platform, session, way)

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(1, 4):
            yield b"x" * 1000

            async def there(so_far: int = number * 1000) -> bool:
                return (await caller.said())["read"] == so_far

            await awaited(there, "the function has it", 10)

    assert await caller.json("upload", method="POST", data=pieces()) == 3000


@WAYS
async def test_who_leaves_ends_the_functions_work(platform: Platform, session: aiohttp.ClientSession, way: str) -> None:
    caller = Caller(platform, session, way)
    before = await caller.said()
    call = asyncio.create_task(caller.json("hold"))

    async def runs() -> bool:
        return (await caller.said())["calls"] > before["calls"] + 2

    await awaited(runs, "it is being served")
    call.cancel()

    async def ended() -> bool:
        return (await caller.said())["cancelled"] == before["cancelled"] + 1

    await awaited(ended, "its work was cancelled", 10)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@WAYS
async def test_64_mib_pass_both_ways_and_nobody_keeps_them(
    platform: Platform, session: aiohttp.ClientSession, way: str
) -> None:
    caller = Caller(platform, session, way)
    count, piece = 1024, b"y" * 65536

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    async def pass_(count: int) -> None:
        assert await caller.json("upload", method="POST", data=pieces(count)) == count * len(piece)
        async with session.get(f"{caller.base}/download?{count}", headers={"Cache-Control": "no-store"}) as got:
            size = 0
            async for some in got.content.iter_any():
                size += len(some)
        assert size == count * len(piece)

    await pass_(64)  # warms up
    parts = {name: platform.pids[name] for name in ("envoy", "invoker")}
    before = {name: resident_bytes(pid) for name, pid in parts.items()}
    await pass_(count)
    grown = {name: resident_bytes(pid) - before[name] for name, pid in parts.items()}
    assert max(grown.values()) < 24 * MIB, grown
    with platform.client() as http:
        assert (
            http.get(f"/functions/admin/{way}").json()["limits"]["memory_bytes"] == 128 * MIB
        )  # and it is still there


@WAYS
async def test_a_websocket_is_in_progress_and_outlives_a_deploy(
    platform: Platform, session: aiohttp.ClientSession, way: str
) -> None:
    caller = Caller(platform, session, way)
    address = f"{platform.url}/functions/admin/{way}"

    async def in_progress(count: int) -> bool:
        async with session.get(f"{address}/metrics?window_s=60") as got:
            return bool((await got.json())["in_progress"] == count)

    async with session.ws_connect(f"{caller.base}/ws") as socket:
        await socket.send_str("one")
        assert await socket.receive_str(timeout=20) == "one"
        await awaited(lambda: in_progress(1), "it is in progress")
        patch = {"headers": {"Content-Type": "application/merge-patch+json"}, "data": json.dumps({"env": {"A": way}})}
        async with session.patch(f"{address}?wait_s=60", **patch) as got:
            status = (await got.json())["status"]
            assert (status["revision"], status["state"]) == (2, "ready"), status

        async def serves() -> bool:
            async with session.get(f"{caller.base}/said", headers={"Cache-Control": "no-store"}) as got:
                return got.headers["ffx-revision"] == "2"

        await awaited(serves, "the new revision serves")
        await socket.send_str("two")
        assert await socket.receive_str(timeout=20) == "two"
    await awaited(lambda: in_progress(0), "it has ended")


async def test_answers_are_kept_purged_and_gone_with_a_deploy(
    platform: Platform, session: aiohttp.ClientSession
) -> None:
    caller = Caller(platform, session, "kept")

    async def told() -> str:
        async with aiohttp.ClientSession() as nobody, nobody.get(f"{caller.base}/said?kept") as got:
            assert got.status == 200
            return got.headers["cache-status"].removeprefix("faasioflex; ")

    assert await told() == "fwd=uri-miss; stored"
    assert (await told()).startswith("hit; ttl=")
    done = platform.run("cache", "purge", "kept")
    assert (done.returncode, done.stdout) == (0, "Forgot 1 kept answer of admin/kept\n"), done.stderr
    assert await told() == "fwd=uri-miss; stored"
    with platform.client() as http:
        scaled = http.put("/functions/admin/kept/scale", json={"instances": 0})
        assert scaled.status_code == 200
        await eventually(
            lambda: http.get("/functions/admin/kept").json()["status"]["ready_instances"] == 0, "it has no instance"
        )
        assert (await told()).startswith("hit; ttl=")
        assert http.get("/functions/admin/kept").json()["status"]["ready_instances"] == 0
        patch = {"Content-Type": "application/merge-patch+json"}
        answer = http.patch("/functions/admin/kept?wait_s=60", headers=patch, json={"env": {"B": "1"}})
        assert answer.status_code == 200
    assert await told() == "fwd=uri-miss; stored"


def test_who_may_not_operate_it_forgets_nothing(platform: Platform) -> None:
    assert httpx.delete(f"{platform.url}/functions/admin/kept/cache").status_code == 401
