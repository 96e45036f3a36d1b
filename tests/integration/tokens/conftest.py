from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from faasioflex.api.app import create_app
from faasioflex.bus import nats
from faasioflex.bus.nats import NatsBus, setup
from support.fake_login import FakeLogin
from support.identity import TestIdentity
from support.nats_server import NatsServer

Start = Callable[[], Awaitable[TestIdentity]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path_factory.mktemp("nats"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[NatsBus]:
    """Connected, with every bucket empty."""
    made = await nats.connect(server.url, server.user, server.password, name="tokens")
    await setup.ensure(made)
    yield made
    for found in (await made.jetstream.api("STREAM.NAMES"))["streams"] or []:
        await made.jetstream.api(f"STREAM.DELETE.{found}")
    await made.close()


@pytest.fixture
async def start(server: NatsServer, bus: NatsBus) -> AsyncIterator[Start]:
    """``await start()``: identity as another process has it, with a connection of its own."""
    async with AsyncExitStack() as stack:

        async def start() -> TestIdentity:
            own = await nats.connect(server.url, server.user, server.password, name="another")
            stack.push_async_callback(own.close)
            made = TestIdentity(own, login=FakeLogin())
            await made.start()
            stack.push_async_callback(made.stop)
            return made

        yield start


@pytest.fixture
async def identity(start: Start) -> TestIdentity:
    return await start()


@pytest.fixture
async def http(identity: TestIdentity, bus: NatsBus) -> AsyncIterator[httpx.AsyncClient]:
    """The API."""
    app = create_app(bus, identity.api, invoker_socket=Path("/nonexistent/i.sock"), readiness=dict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client
