from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from faasioflex.bus import nats
from faasioflex.bus.nats import NatsBus, setup
from support.nats_server import NatsServer

Connect = Callable[..., Awaitable[NatsBus]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path / "nats")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def connect(server: NatsServer) -> AsyncIterator[Connect]:
    """``await connect(**options of nats.connect)``: another connection, as another process would have; closed at the end."""
    made: list[NatsBus] = []

    async def connect(**options: object) -> NatsBus:
        bus = await nats.connect(server.url, server.user, server.password, name=f"test-{len(made)}", **options)  # type: ignore[arg-type]
        made.append(bus)
        return bus

    yield connect
    for bus in made:
        await bus.close()


@pytest.fixture
async def bus(connect: Connect) -> NatsBus:
    """Connected, with every bucket and stream."""
    made = await connect()
    await setup.ensure(made)
    return made
