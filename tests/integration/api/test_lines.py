"""Logs, build logs and events as lines: kept ones, followed ones, NDJSON and SSE."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from faasioflex.bus.buckets import FUNCTIONS
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.function import FunctionRecord
from faasioflex.model.instance import LogLine
from faasioflex.model.names import FunctionName
from support.api_client import function
from support.line_client import served

NAME = FunctionName("admin", "hello")
URL = "/functions/admin/hello"


@pytest.fixture
async def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
async def timed_bus(clock: list[float]) -> AsyncIterator[MemoryBus]:
    made = MemoryBus(now=lambda: clock[0])
    yield made
    await made.close()


async def write(bus: MemoryBus, message: str, revision: int = 1, subject: str = "ffx.log") -> None:
    line = LogLine(1_800_000_000.25, NAME, revision, "i-0123456789abcdef", "stdout", message, "req-1")
    await bus.append(f"{subject}.{NAME.key}", encode(line))


def documents(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_kept_lines(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await write(bus, "of a function of that name before")
    await client.post("/functions/register", json=function())
    for number in range(5):
        await write(bus, f"line {number} ☃", revision=1 + number % 2)
    await write(bus, "built", subject="ffx.buildlog")
    await bus.append(f"ffx.log.{NAME.key}", b"not a line")
    lines = documents(await client.get(URL + "/logs"))
    assert [line["message"] for line in lines] == [f"line {number} ☃" for number in range(5)]
    assert lines[0] == {
        "time": "2027-01-15T08:00:00.250Z",
        "revision": 1,
        "instance": "i-0123456789abcdef",
        "stream": "stdout",
        "request_id": "req-1",
        "message": "line 0 ☃",
    }
    assert [line["message"][:6] for line in documents(await client.get(URL + "/logs?revision=2"))] == [
        "line 1",
        "line 3",
    ]
    assert [line["message"] for line in documents(await client.get(URL + "/build-log"))] == ["built"]
    assert documents(await client.get(URL + "/logs?since=2100-01-01T00:00:00Z")) == []
    events = await client.get(URL + "/logs?tail=2", headers={"accept": "text/event-stream"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert [json.loads(one.removeprefix("data: "))["message"] for one in events.text.split("\n\n") if one] == [
        "line 4 ☃"
    ]


async def test_since_counts_from_when_lines_were_stored(timed_bus: MemoryBus, clock: list[float]) -> None:
    from support.api_client import api

    async with api(timed_bus) as client:
        await client.post("/functions/register", json=function())
        held = timed_bus.bucket(FUNCTIONS.name, FunctionRecord)
        entry = await held.get(NAME.key)
        assert entry is not None
        clock[0] = entry.value.created_at + 10
        await write(timed_bus, "early")
        clock[0] += 100
        await write(timed_bus, "late")
        stamp = "2200-01-01T00:00:00+01:00"
        assert documents(await client.get(URL + "/logs", params={"since": stamp})) == []
        assert len(documents(await client.get(URL + "/logs?since=30d"))) == 2


async def test_followed_lines_come_as_they_are_written_and_end_with_the_function(bus: MemoryBus) -> None:
    async with served(bus) as (_, client):
        await client.post("/functions/register", json=function())
        await write(bus, "first")
        async with client.stream("GET", URL + "/logs?follow=true") as answer:
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["message"] == "first"
            await write(bus, "second")
            assert json.loads(await anext(lines))["message"] == "second"
            await bus.bucket(FUNCTIONS.name, FunctionRecord).delete(NAME.key)
            assert [line async for line in lines] == []


async def test_a_stop_of_the_api_ends_followed_streams(bus: MemoryBus) -> None:
    async with served(bus) as (part, client):
        await bus.append("ffx.event.function.registered.admin.hello", b'{"type": "faasioflex.function.registered"}')
        async with client.stream("GET", "/events?follow=1") as answer:
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["type"] == "faasioflex.function.registered"
            stopping = asyncio.create_task(part.stop())
            assert [line async for line in lines] == []
            await asyncio.wait_for(stopping, 10)
        assert part.problem is not None


async def test_events_are_passed_on_as_they_are(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    event = {"specversion": "1.0", "id": "1", "type": "faasioflex.function.deployed", "subject": "admin/hello"}
    await bus.append("ffx.event.function.deployed.admin.hello", json.dumps(event).encode())
    await bus.append("ffx.event.function.deployed.admin.hello", b"{")
    assert documents(await client.get("/events")) == [event]
