from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.launcher import World, launched


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with launched("sandbox") as made:
        yield made
