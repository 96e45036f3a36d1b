"""A launcher with a relay, and servers of this machine's loopback that the operator allows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from support.egress import EgressWorld, launched_with_relay


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[EgressWorld]:
    async with launched_with_relay("--allow", "127.0.0.0/8 ::1") as made:
        yield made
