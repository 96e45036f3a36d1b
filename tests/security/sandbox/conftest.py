"""A sandbox launcher; every test asks a function that runs inside what it sees and can do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.launcher import World, launched


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with launched("sandbox", pool_bytes=96 * 2**20) as made:
        yield made
