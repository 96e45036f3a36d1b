"""The API's socket as the platform opens it, and requests that no client library would send."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from pathlib import Path

import pytest

from faasioflex.api.server import ApiPart
from faasioflex.bus.memory import MemoryBus
from faasioflex.client.asynchronous import AsyncClient
from faasioflex.model.errors import FunctionExists, FunctionNotFound
from support.api_client import CODE, ready
from support.archives import file, tar_gz
from support.identity import TestIdentity
from support.line_client import served
from support.manager_double import obliging_manager


async def raw(path: Path, data: bytes, *, half: bool = False) -> bytes:
    """What comes back until the server closes or goes quiet."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    if half:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(200_000), 10)
    finally:
        writer.close()


async def test_the_socket_is_its_users_alone_and_replaces_a_stale_one(bus: MemoryBus) -> None:
    with tempfile.TemporaryDirectory(prefix="ffx-api-") as folder:
        path = Path(folder) / "api.sock"
        path.write_bytes(b"stale")
        part = ApiPart(bus, TestIdentity(bus).api, socket_path=path, invoker_socket=path, readiness=ready)
        assert part.problem is not None
        await part.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert part.problem is None
        assert (await raw(path, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 200"
        )
        await part.stop()
        assert not path.exists()
        assert part.problem is not None


@pytest.mark.parametrize(
    ("data", "half", "statuses"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n", False, (b"400", b"431")),
        (b"nonsense\r\n\r\n", False, (b"400",)),
        (b"GET /functions/\xff HTTP/1.1\r\nHost: x\r\n\r\n", False, (b"400", b"404")),
        (b"POST /functions/register HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", False, (b"400",)),
        (
            b"POST /functions/register HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            False,
            (b"400",),
        ),
        (b"POST /functions/register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, (b"400",)),
    ],
)
async def test_requests_that_are_none(bus: MemoryBus, data: bytes, half: bool, statuses: tuple[bytes, ...]) -> None:
    async with served(bus) as (part, client):
        answer = await raw(part.socket_path, data, half=half)
        assert answer.split(b" ", 2)[1] in statuses, answer[:200]
        assert (await client.get("/healthz")).status_code == 200


async def test_a_request_that_ends_in_the_middle_harms_nobody(bus: MemoryBus) -> None:
    head = b"POST /functions/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    async with served(bus) as (part, client):
        token = f"Authorization: {client.headers['authorization']}\r\n".encode()
        answer = await raw(part.socket_path, head.replace(b"\r\n", b"\r\n" + token, 1), half=True)
        assert answer == b"" or answer.split(b" ", 2)[1] == b"400"
        assert (await client.get("/functions")).json() == {"items": [], "next": None}


async def test_our_own_client_understands_every_answer(bus: MemoryBus, tmp_path: Path) -> None:
    archive = tmp_path / "code.tgz"
    archive.write_bytes(tar_gz([file("main.py", b"x = 1\n")]))
    async with (
        served(bus) as (_, http),
        obliging_manager(bus),
        AsyncClient(
            "http://127.0.0.1", token=http.headers["authorization"].partition(" ")[2], transport=http._transport
        ) as ffx,
    ):
        document = {"name": "hello", "runtime": "python", "source": CODE}
        made = await ffx.register(document, wait_s=10)
        assert (made.status.state, made.etag is not None) == ("ready", True)
        with pytest.raises(FunctionExists):
            await ffx.register(document)
        with archive.open("rb") as content:
            changed = await ffx.patch("hello", {}, archive=content, wait_s=10)
        assert [int(number) for number in changed.status.traffic] == [2]
        await ffx.rollback("hello", wait_s=10)
        await ffx.set_traffic("hello", {1: 90, 2: 10})
        await ffx.scale("hello", 3)
        assert len(await ffx.revisions("hello")) == 2
        assert (await ffx.metrics("hello")).instances >= 1
        assert (await ffx.get("hello")).scaling.min_instances == 3
        assert (await ffx.version()).version
        await ffx.delete("hello")
        with pytest.raises(FunctionNotFound):
            await ffx.get("hello")
