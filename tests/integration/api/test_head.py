"""HEAD is GET without the body, over a real socket."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.bus.memory import MemoryBus
from support.api_client import function
from support.line_client import served

URL = "/functions/admin/hello"


@pytest.mark.parametrize(
    "path", ["/healthz", "/openapi.json", "/docs", "/functions", URL, f"{URL}/revisions", "/nothing"]
)
async def test_it_has_the_status_and_headers_of_a_get(bus: MemoryBus, path: str) -> None:
    async with served(bus) as (_, client):
        assert (await client.post("/functions/register", json=function())).status_code == 201
        got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    own = {"date", "x-request-id", "content-length" if path == "/nothing" else ""}
    assert {n: v for n, v in head.headers.items() if n not in own} == {
        n: v for n, v in got.headers.items() if n not in own
    }


async def test_one_of_followed_lines_ends(bus: MemoryBus) -> None:
    async with served(bus) as (_, client):
        assert (await client.post("/functions/register", json=function())).status_code == 201
        answer = await asyncio.wait_for(client.head(f"{URL}/logs?follow=1"), 10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")


async def test_what_changes_something_has_none(bus: MemoryBus) -> None:
    async with served(bus) as (_, client):
        answer = await client.head("/functions/register")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
