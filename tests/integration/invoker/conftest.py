"""An invoker on the bus in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.invoker_world import World, world


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made
