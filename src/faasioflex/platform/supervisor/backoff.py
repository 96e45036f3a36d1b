"""How long to wait before a process that died is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 0.05  # a process that died once is back at once
LONGEST_S = 10.0
STABLE_S = 10.0  # who lived this long starts over as if it had never died


@dataclass(frozen=True)
class Backoff:
    """Deaths in a row, each sooner than STABLE_S after its start."""

    deaths: int = 0

    def died(self, lived_s: float) -> tuple[Backoff, float]:
        """The state after a death, and the seconds to wait before the next start: 0.05, 0.1, 0.2 … 10."""
        deaths = 1 if lived_s >= STABLE_S else self.deaths + 1
        return Backoff(deaths), min(LONGEST_S, FIRST_S * 2 ** min(deaths - 1, 30))
