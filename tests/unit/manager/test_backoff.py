"""Pauses between starts."""

from __future__ import annotations

from faasioflex.manager.backoff import crash_backoff_s, ended_backoff_s
from faasioflex.manager.crashes import LONGEST_HOLD_S


def test_starts_that_fail_are_repeated_ever_later() -> None:
    pauses = [crash_backoff_s(attempts) for attempts in range(1, 40)]
    assert pauses[:3] == [0.0, 0.25, 0.5]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0


def test_calls_outwait_the_pause_after_instances_that_were_ready() -> None:
    for killed in (False, True):
        pauses = [ended_backoff_s(ends, killed=killed) for ends in range(1, 100)]
        assert pauses[0] == 0.0
        assert pauses[1] > 0.0, "a crash loop does pause"
        assert max(pauses) < LONGEST_HOLD_S
