"""NATS with the gateway's certificate, as it is off loopback; and when that is replaced."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import nats as nats_py
import pytest

from faasioflex.bus import nats
from faasioflex.model.errors import Unavailable
from faasioflex.platform import certificate
from faasioflex.platform.supervisor import nats as server
from support.deadline import awaited
from support.nats_users import PlatformNats


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[PlatformNats]:
    made = PlatformNats(tmp_path / "data")
    tls = made.folder.tls
    certificate.ensure(tls, "127.0.0.1", dt.datetime.now(dt.UTC))
    made.run = replace(made.run, chain=tls / "cert.pem", key=tls / "key.pem")
    await made.start()
    yield made
    made.kill()


async def test_parts_and_clients_speak_tls_and_nobody_plain_text(secure: PlatformNats, tmp_path: Path) -> None:
    run = secure.run
    assert run.url.startswith("tls://")
    bus = await nats.connect(run.url, server.USER, run.password, name="test", certificate=run.chain)
    assert bus.connected
    await bus.close()
    options = {"user": server.USER, "password": run.password, "allow_reconnect": False}
    client = await nats_py.connect(
        run.url, tls=ssl.create_default_context(cafile=str(secure.folder.tls / "ca.pem")), **options
    )
    await client.close()
    with pytest.raises(ssl.SSLError):
        await nats_py.connect(run.url, tls=ssl.create_default_context(), **options)
    reader, writer = await asyncio.open_connection(run.reached_at, run.port)
    assert b'"tls_required":true' in await reader.readline()
    writer.write(b'CONNECT {"user": "platform"}\r\nPING\r\n')
    assert b"PONG" not in await reader.read(4096)
    writer.close()
    other = tmp_path / "other"
    certificate.ensure(other, "127.0.0.1", dt.datetime.now(dt.UTC))
    with pytest.raises(Unavailable):
        await nats.connect(run.url, server.USER, run.password, name="x", certificate=other / "cert.pem", wait_s=1)


async def test_a_replaced_certificate_is_shown_without_a_restart(secure: PlatformNats) -> None:
    run, tls = secure.run, secure.folder.tls
    assert secure._process is not None
    pid = secure._process.pid
    watching = asyncio.create_task(server.reload_when_replaced(run, lambda: pid))
    await asyncio.sleep(0)  # it has seen the first one
    (tls / "cert.pem").unlink()
    assert certificate.ensure(tls, "127.0.0.1", dt.datetime.now(dt.UTC))

    async def reached() -> bool:
        try:
            bus = await nats.connect(run.url, server.USER, run.password, name="x", certificate=run.chain, wait_s=0.5)
        except Unavailable:
            return False
        await bus.close()
        return True

    await awaited(reached, "the new one is shown", 10)
    assert secure._process.poll() is None
    watching.cancel()
