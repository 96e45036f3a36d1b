"""How often one address may ask for tokens: it costs a signature each time, and clients could guess secrets here."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request

from faasioflex.model.errors import RateLimited

AT_ONCE, PER_SECOND = 200.0, 20.0  # a company behind one address refreshes once per person in 15 minutes
KEPT = 20_000


class AddressLimit:
    """A bucket of requests for each address, filled at a steady pace; the ones that asked longest ago are forgotten first."""

    def __init__(
        self, at_once: float = AT_ONCE, per_second: float = PER_SECOND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Raises: RateLimited."""
        now = self._clock()
        left, at = self._left.pop(address, (self._at_once, now))
        left = min(self._at_once, left + (now - at) * self._per_second)
        self._left[address] = (max(0.0, left - 1.0) if left >= 1.0 else left, now)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)
        if left < 1.0:
            raise RateLimited("Too many requests from this address: wait a second and try again", retry_after_s=1)


def address_of(request: Request) -> str:
    """As the gateway says: what it appended last."""
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    return hops[-1].strip() or (request.client.host if request.client else "")
