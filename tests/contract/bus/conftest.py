from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from faasioflex.bus import nats
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.nats import setup
from faasioflex.bus.port import Bus
from support.nats_server import NatsServer


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(Path(tmp_path_factory.mktemp("nats")))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """An empty bus of either driver."""
    if request.param == "memory":
        memory = MemoryBus()
        yield memory
        await memory.close()
        return
    server: NatsServer = request.getfixturevalue("nats_server")
    real = await nats.connect(server.url, server.user, server.password, name="contract")
    await setup.ensure(real)
    yield real
    for found in (await real.jetstream.api("STREAM.NAMES"))["streams"] or []:
        await real.jetstream.api(f"STREAM.DELETE.{found}")
    await real.close()
