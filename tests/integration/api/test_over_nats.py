"""The same API over the real nats-server: what it reads it has written, and what it does while the server is away."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from faasioflex.bus import nats
from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.codec import encode
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.manager.archive.unpack import unpack
from faasioflex.model.instance import LogLine
from faasioflex.model.names import FunctionName
from support.api_client import code_of, function
from support.archives import file, tar_gz
from support.deadline import eventually
from support.line_client import served
from support.manager_double import obliging_manager
from support.nats_server import NatsServer

URL = "/functions/admin/hello"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path / "nats")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def real_bus(server: NatsServer) -> AsyncIterator[NatsBus]:
    made = await nats.connect(server.url, server.user, server.password, name="test-api")
    await setup.ensure(made)
    yield made
    await made.close()


@pytest.fixture
async def api(real_bus: NatsBus) -> AsyncIterator[httpx.AsyncClient]:
    async with served(real_bus) as (part, client):
        assert part.problem is None
        yield client


async def test_a_life_of_a_function(api: httpx.AsyncClient, real_bus: NatsBus, tmp_path: Path) -> None:
    async with obliging_manager(real_bus):
        noise = os.urandom(6 * 1024 * 1024)  # more than a message holds in the object store
        archive = tar_gz([file("main.py", b"x = 1\n"), file("data.bin", noise)])
        form = {"function": json.dumps({"name": "hello", "runtime": "python"})}
        made = await api.post("/functions/register?wait_s=30", data=form, files={"archive": ("a.tgz", archive)})
        assert (made.status_code, made.json()["status"]["state"]) == (201, "ready"), made.text
        digest = made.json()["source"]["sha256"]
        stored = await real_bus.objects(CODE_OBJECTS).get(digest)
        assert stored is not None
        unpack(stored, tmp_path / "code", sha256=digest)
        assert (tmp_path / "code/data.bin").read_bytes() == noise
        changed = await api.patch(URL + "?wait_s=30", json={"env": {"A": "1"}})
        assert changed.json()["status"]["traffic"] == {"2": 100}
        back = await api.post(URL + "/rollback?wait_s=30")
        assert back.json()["status"]["traffic"] == {"1": 100}
        assert [one["revision"] for one in (await api.get(URL + "/revisions")).json()["items"]] == [2, 1]
        assert (await api.delete(URL)).status_code == 204
        assert (await api.get("/functions")).json()["items"] == []
        again = await api.post("/functions/register?wait_s=30", json=function())
        assert (again.status_code, again.json()["status"]["revision"]) == (201, 1)


async def test_lists_and_reads_show_what_was_just_written(api: httpx.AsyncClient) -> None:
    for number in range(10):
        assert (await api.post("/functions/register", json=function(f"f{number}"))).status_code == 201
        assert len((await api.get("/functions")).json()["items"]) == number + 1
        await api.patch(f"/functions/admin/f{number}", json={"description": f"d{number}"})
        assert (await api.get(f"/functions/admin/f{number}")).json()["description"] == f"d{number}"


async def test_changes_at_once_through_two_apis(api: httpx.AsyncClient, server: NatsServer) -> None:
    await api.post("/functions/register", json=function())
    other_bus = await nats.connect(server.url, server.user, server.password, name="test-api-2")
    async with served(other_bus) as (_, other):
        clients = [api, other] * 3
        answers = await asyncio.gather(
            *(client.patch(URL, json={"env": {f"E{n}": "x"}}) for n, client in enumerate(clients))
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        won = [n for n, answer in enumerate(answers) if answer.status_code == 200]
        assert set((await other.get(URL)).json()["env"]) == {f"E{n}" for n in won}
        assert (await api.get(URL)).json()["status"]["latest"]["revision"] == 1 + len(won)
        registered = await asyncio.gather(
            *(client.post("/functions/register", json=function("b")) for client in clients)
        )
        assert sorted(answer.status_code for answer in registered) == [201, 409, 409, 409, 409, 409]
    await other_bus.close()


async def test_followed_logs(api: httpx.AsyncClient, real_bus: NatsBus) -> None:
    await api.post("/functions/register", json=function())

    async def write(message: str) -> None:
        line = LogLine(1.0, FunctionName("admin", "hello"), 1, "i-1", "stdout", message)
        await real_bus.append("ffx.log.admin.hello", encode(line))

    await write("one")
    async with api.stream("GET", URL + "/logs?follow=true") as answer:
        lines = answer.aiter_lines()
        assert json.loads(await anext(lines))["message"] == "one"
        await write("two")
        assert json.loads(await anext(lines))["message"] == "two"
    kept = await api.get(URL + "/logs?tail=1")
    assert [json.loads(line)["message"] for line in kept.text.splitlines()] == ["two"]
    assert (await api.get(URL + "/logs?tail=0")).text == ""
    for since in ("9999-12-31T23:59:59Z", "2200-01-01T00:00:00Z"):
        later = await api.get(URL + "/logs", params={"since": since})
        assert (later.status_code, later.text) == (200, "")
    for since in ("0001-01-01T00:00:00Z", "30d"):
        assert len((await api.get(URL + "/logs", params={"since": since})).text.splitlines()) == 2


async def test_calls_are_held_while_nats_is_away_and_told_when_it_stays_away(
    api: httpx.AsyncClient, real_bus: NatsBus, server: NatsServer
) -> None:
    await api.post("/functions/register", json=function())
    server.kill()
    await eventually(lambda: not real_bus.connected, "the API has lost NATS")
    held = asyncio.create_task(api.patch(URL, json={"description": "later"}))
    done, _ = await asyncio.wait({held}, timeout=0.2)
    assert not done
    await asyncio.to_thread(server.start)
    assert (await held).json()["description"] == "later"
    server.kill()
    loop = asyncio.get_running_loop()
    before = loop.time()
    gone = await api.get(URL)
    assert code_of(gone) == (503, "unavailable")
    assert gone.headers["retry-after"]
    assert loop.time() - before < 15
    assert (await api.get("/healthz")).status_code == 200
    await asyncio.to_thread(server.start)
    assert (await api.get(URL)).json()["description"] == "later"
