"""The invoker on a real nats-server, and without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faasioflex.bus import nats
from faasioflex.bus.codec import decode
from faasioflex.bus.nats import setup
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.function import Limits
from faasioflex.model.messages import APPLIED_SUBJECT, Applied
from support.deadline import eventually
from support.invoker_world import World, world
from support.nats_server import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path / "nats")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def there(server: NatsServer) -> AsyncIterator[World]:
    bus = await nats.connect(server.url, server.user, server.password, name="invoker-test", timeout_s=1.0)
    await setup.ensure(bus)
    async with world(bus=bus, bounds=replace(Bounds(), away_hold_s=3.0)) as made:
        yield made


async def test_first_calls_execute_and_calls_by_subject(there: World) -> None:
    await there.route("hello", limits=Limits(concurrency=200))
    answers = await asyncio.gather(*(there.call("POST", data=b"x") for _ in range(100)))
    assert {status for status, _ in answers} == {200}
    assert len(there.wakes) == 1
    body = {"function": "acme/hello", "payload": [1]}
    async with there.request("POST", "/.ffx/execute", json=body) as got:
        kept = await there.invocations.get((await got.json())["invocation_id"])
    assert kept is not None
    assert kept.value.status == "succeeded"
    refused = json.loads(await there.bus.request("ffx.call.acme.hello", b"[2]", 10))
    assert refused["error"]["code"] == "not-authenticated", "a request in the platform's own account is nobody's"
    entry = await there.routes.get("acme.hello")
    assert entry is not None
    await there.put("hello", replace(entry.value, visibility="public"))
    made = json.loads(await there.bus.request("ffx.call.acme.hello", b"[2]", 10))
    assert made["status"] == "succeeded"
    assert there.instances[0].seen[-1].body == b"[2]"


async def test_a_change_is_in_force_and_told_soon(there: World) -> None:
    told: list[Applied] = []

    async def take(_: str, data: bytes) -> None:
        told.append(decode(Applied, data))

    await there.bus.subscribe(APPLIED_SUBJECT, take)
    for number in range(3):
        written = await there.routes.put(f"acme.f{number}", (await _route(there)))
        await eventually(lambda w=written: told and told[-1].revision >= w, "it is told", 5)  # type: ignore[misc]


async def _route(there: World) -> object:
    await there.route("template")
    entry = await there.routes.get("acme.template")
    assert entry is not None
    return entry.value


async def test_what_runs_goes_on_without_nats_and_starts_wait_for_it(there: World, server: NatsServer) -> None:
    instance = await there.instance()
    await there.route("runs", instance)
    await there.route("idle")
    server.kill()
    for _ in range(5):
        assert (await there.call("POST", "/f/acme/runs", data=b"x"))[0] == 200
    await eventually(lambda: there.invoker.problem is not None, "it is not ready")
    problem = await there.problem("GET", "/f/acme/idle")
    assert (problem["status"], problem["code"]) == (503, "unavailable")
    assert problem["retry_after"]
    problem = await there.problem("GET", "/f/acme/unknown")
    assert (problem["status"], problem["code"]) == (503, "unavailable")
    waiting = asyncio.create_task(there.call("GET", "/f/acme/idle"))
    await eventually(lambda: there.invoker._admission.total == 1, "it waits")
    server.start()
    assert (await waiting)[0] == 200
    await eventually(lambda: there.invoker.problem is None, "it is ready again")
    assert (await there.problem("GET", "/f/acme/unknown"))["status"] == 404
