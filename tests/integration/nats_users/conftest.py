"""NATS as users have it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.nats_users import NatsWorld, nats_world


@pytest.fixture
async def there() -> AsyncIterator[NatsWorld]:
    async with nats_world() as made:
        yield made
