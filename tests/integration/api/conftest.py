"""The API over the bus in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from faasioflex.bus.memory import MemoryBus
from support.api_client import api


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    made = MemoryBus()
    yield made
    await made.close()


@pytest.fixture
async def client(bus: MemoryBus) -> AsyncIterator[httpx.AsyncClient]:
    async with api(bus) as made:
        yield made
