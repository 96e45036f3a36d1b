"""What is reported of denials: each destination once in a while, and not too many at all."""

from __future__ import annotations

import time
from collections.abc import Callable

from faasioflex.runtime.egress.messages import Denial

AGAIN_AFTER_S = 10.0  # the same destination
MOST_AT_ONCE = 20
ONE_MORE_EVERY_S = 3.0


class Denials:
    """Of one sandbox."""

    def __init__(self, guest: str, tell: Callable[[Denial], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._guest = guest
        self._tell = tell
        self._clock = clock
        self._said_at: dict[str, float] = {}
        self._left = float(MOST_AT_ONCE)
        self._filled_at = clock()
        self._unsaid = 0

    def fail(self, destination: str, why: str) -> None:
        """It may be reached and could not be."""
        self.deny(destination, why, denied=False)

    def deny(self, destination: str, why: str, *, denied: bool = True) -> None:
        now = self._clock()
        self._left = min(MOST_AT_ONCE, self._left + (now - self._filled_at) / ONE_MORE_EVERY_S)
        self._filled_at = now
        self._said_at = {name: at for name, at in self._said_at.items() if now - at < AGAIN_AFTER_S}
        if destination in self._said_at or self._left < 1:
            self._unsaid += 1
            return
        self._left -= 1
        self._said_at[destination] = now
        self._tell(Denial(self._guest, destination[:300], why[:1000], self._unsaid, denied))
        self._unsaid = 0
