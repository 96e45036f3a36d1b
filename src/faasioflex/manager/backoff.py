"""How long to wait before the next start of something that keeps crashing. Pure."""

from __future__ import annotations

FIRST_S = 0.25
LONGEST_S = 60.0
KILLED_COUNTS = 2  # ends by SIGKILL count as at most that many crashes in a row: a short pause, no longer one
SERVED_COUNTS = 4  # ends after ready as that many: one caller whose calls end it keeps the others waiting, not out


def crash_backoff_s(attempts: int) -> float:
    """After ``attempts`` starts in a row that never became ready: 0 after the first, then 0.25, 0.5, 1 … at most 60 s."""
    if attempts <= 1:
        return 0.0
    return float(min(FIRST_S * 2.0 ** (attempts - 2), LONGEST_S))


def ended_backoff_s(ends: int, *, killed: bool) -> float:
    """After ``ends`` in a row, each soon after the instance was ready: the same, at most 1 s, which calls wait for."""
    return crash_backoff_s(min(ends, KILLED_COUNTS if killed else SERVED_COUNTS))
