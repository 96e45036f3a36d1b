"""Large and slow bodies: few at once, none for ever."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator

import pytest

from faasioflex.api import body, uploads
from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.memory import MemoryBus
from support.api_client import code_of, function
from support.archives import file, tar_gz
from support.deadline import eventually
from support.line_client import served

JSON = {"content-type": "application/json"}


class Slow:
    """A body whose end a test decides on."""

    def __init__(self, begin: bytes) -> None:
        self.begin = begin
        self.sent = asyncio.Event()
        self.go_on = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.begin), 65536):
            yield self.begin[start : start + 65536]
        self.sent.set()
        await self.go_on.wait()
        yield b" "


async def test_a_body_that_stops_coming_is_given_up(bus: MemoryBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LONGEST_SILENCE_S", 0.2)
    async with served(bus) as (part, client):
        reader, writer = await asyncio.open_unix_connection(str(part.socket_path))
        head = (
            b"POST /functions/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        )
        writer.write(head + f"Authorization: {client.headers['authorization']}\r\n\r\n{{".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        assert answer.startswith(b"HTTP/1.1 408")
        writer.close()


async def test_large_bodies_take_turns_and_small_ones_do_not_wait(
    bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LONGEST_WAIT_S", 0.3)
    async with served(bus) as (part, client):
        slots = part.app.state.services.uploads._reading
        slow = [Slow(b" " * (2 * uploads.FREE_BYTES)) for _ in range(uploads.SLOTS)]
        held = [asyncio.create_task(client.post("/functions/register", content=s.chunks(), headers=JSON)) for s in slow]
        await eventually(slots.locked, "both slots are taken")
        big = function("big", description="x") | {"source": {"files": {"main.py": "x" * (2 * uploads.FREE_BYTES)}}}
        refused = await client.post("/functions/register", json=big)
        assert code_of(refused) == (503, "unavailable")
        assert refused.headers["retry-after"]
        assert (await client.post("/functions/register", json=function("small"))).status_code == 201
        for one in slow:
            one.go_on.set()
        assert {answer.status_code for answer in await asyncio.gather(*held)} == {400}
        assert (await client.post("/functions/register", json=big)).status_code == 201


async def test_a_large_archive_does_not_hold_up_others(bus: MemoryBus) -> None:
    archive = tar_gz([file("main.py"), file("noise", os.urandom(30 * 1024 * 1024))])
    document = function("large", source={"archive": base64.b64encode(archive).decode()})
    async with served(bus) as (_, client):
        uploading = asyncio.create_task(client.post("/functions/register", json=document))
        answered = 0
        while not uploading.done():
            assert (await client.get("/healthz")).status_code == 200
            answered += 1
        assert (await uploading).status_code == 201
        assert answered > 5
        stored = await bus.objects(CODE_OBJECTS).get((await uploading).json()["source"]["sha256"])
        assert stored is not None
        assert len(stored) > 30 * 1024 * 1024
