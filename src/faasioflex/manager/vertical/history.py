"""What an instance used lately: every look of the last moments, older ones as the most of each interval."""

from __future__ import annotations

from collections import deque

from faasioflex.manager.vertical.advise import UNUSED_S, Look

RECENT = 8  # looks that are kept as they were
INTERVAL_S = 10.0


class History:
    """Bounded: about ``UNUSED_S / INTERVAL_S + RECENT`` looks."""

    def __init__(self) -> None:
        self._recent: deque[Look] = deque()
        self._older: deque[Look] = deque()
        self._since = 0.0  # when the youngest interval began

    def add(self, look: Look) -> None:
        if self._recent and look.at <= self._recent[-1].at:
            self._recent.pop()  # the clock has not moved: the newer one counts
        self._recent.append(look)
        if len(self._recent) > RECENT:
            self._put_by(self._recent.popleft())
        while self._older and look.at - self._older[0].at > UNUSED_S + 2 * INTERVAL_S:
            self._older.popleft()

    def _put_by(self, look: Look) -> None:
        """One per interval: the last moment of it with the most memory of it; CPU seconds are a sum and lose nothing but peaks."""
        if self._older and look.at - self._since < INTERVAL_S:
            before = self._older.pop()
            look = Look(look.at, max(before.memory_bytes, look.memory_bytes), look.cpu_s)
        else:
            self._since = look.at
        self._older.append(look)

    @property
    def looks(self) -> list[Look]:
        return [*self._older, *self._recent]
