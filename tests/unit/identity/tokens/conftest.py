from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from faasioflex.bus.memory import MemoryBus
from support.fake_login import FakeLogin
from support.identity import TestIdentity


class Clock:
    """``now`` is set by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bus(clock: Clock) -> AsyncIterator[MemoryBus]:
    made = MemoryBus(clock)
    yield made
    await made.close()


@pytest.fixture
async def identity(bus: MemoryBus, clock: Clock) -> AsyncIterator[TestIdentity]:
    made = TestIdentity(bus, clock, FakeLogin())
    await made.start()
    yield made
    await made.stop()
