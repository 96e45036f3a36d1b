"""How long to wait before the next start of something that keeps crashing. Pure."""

from __future__ import annotations

FIRST_S = 0.25
LONGEST_S = 60.0


def crash_backoff_s(attempts: int) -> float:
    """0 after the first crash (start again at once), then 0.25, 0.5, 1 … at most 60 s."""
    if attempts <= 1:
        return 0.0
    return float(min(FIRST_S * 2.0 ** (attempts - 2), LONGEST_S))
