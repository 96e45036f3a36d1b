"""How much of the relay's time one sandbox may take: so many events at once, so many in a second."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    def __init__(self, at_once: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._clock = clock
        self._left = float(at_once)
        self._filled_at = clock()

    def take(self, amount: int = 1) -> bool:
        """False where there is not so much left now; it is not above ``at_once``."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True
