"""How many tokens an address may ask for."""

from __future__ import annotations

import pytest

from faasioflex.api.address_limit import AddressLimit
from faasioflex.model.errors import RateLimited


def test_a_burst_and_then_a_steady_pace_for_each_address() -> None:
    now = [0.0]
    limit = AddressLimit(3, 2, clock=lambda: now[0])
    for _ in range(3):
        limit.take("a")
    with pytest.raises(RateLimited):
        limit.take("a")
    limit.take("b")
    now[0] = 0.5
    limit.take("a")
    with pytest.raises(RateLimited):
        limit.take("a")
    now[0] = 60.0
    for _ in range(3):
        limit.take("a")
    with pytest.raises(RateLimited):
        limit.take("a")
