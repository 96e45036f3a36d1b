"""Who reports, and since when everybody does. Silence is not calm: nothing is scaled down for it."""

from __future__ import annotations

BLIND_AFTER_S = 3.0  # reports of calls come every half second
USAGE_LOST_AFTER_S = 16.0  # those of CPU and memory every five


class Sight:
    """``members``: who must report of calls."""

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = members
        self._heard_at: dict[str, float] = {}
        self._usage_at: dict[str, float] = {}
        self._since: float | None = None

    def heard(self, member: str, now: float) -> None:
        if now - self._heard_at.get(member, 0.0) > BLIND_AFTER_S:
            self._since = None
        self._heard_at[member] = now

    def heard_usage(self, member: str, now: float) -> None:
        self._usage_at[member] = now

    def since(self, now: float) -> float | None:
        """Since when all of them report without a gap; None while one does not."""
        if any(now - self._heard_at.get(member, 0.0) > BLIND_AFTER_S for member in self._members):
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since

    def usage_lost(self, now: float) -> bool:
        """Somebody told what instances use, and does so no more."""
        return any(now - at > USAGE_LOST_AFTER_S for at in self._usage_at.values())
