"""Every driver passes this suite: the launcher's sandboxes and its plain processes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.launcher import World, launched


@pytest.fixture(params=["sandbox", "process"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with launched(request.param) as made:
        yield made
