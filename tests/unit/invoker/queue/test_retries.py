"""What follows from an attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faasioflex.invoker.queue.retries import Again, Attempted, Ends, Kind, backoff_s, follow_up, retry_after_s
from faasioflex.model.function import AsyncPolicy
from faasioflex.model.invocation import CallError

POLICY = AsyncPolicy(max_attempts=3, backoff_s=2.0)
DIES_AT = 1000.0


def tried(kind: Kind = "answered", status: int | None = None, **fields: float) -> Attempted:
    error = None if status is not None and status < 400 else CallError("function-error", "no", status)
    return Attempted(kind, 99.0, 100.0, 1, status, None, error, **fields)


@pytest.mark.parametrize(
    ("attempt", "state"),
    [
        (tried(status=200), "succeeded"),
        (tried(status=400), "failed"),
        (tried(status=404), "failed"),
        (tried("refused"), "failed"),
    ],
)
def test_what_nothing_can_change_ends(attempt: Attempted, state: str) -> None:
    assert follow_up(POLICY, attempt, 1, DIES_AT, 0.0) == Ends(state)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "attempt", [tried("silent"), *(tried(status=status) for status in (408, 425, 429, 500, 503, 599))]
)
def test_what_may_pass_is_tried_again_until_there_were_enough_attempts(attempt: Attempted) -> None:
    assert follow_up(POLICY, attempt, 1, DIES_AT, 0.0) == Again(102.0, counts=True)
    assert follow_up(POLICY, attempt, 2, DIES_AT, 0.0) == Again(104.0, counts=True)
    assert follow_up(POLICY, attempt, 3, DIES_AT, 0.0) == Ends("dead")


def test_what_is_tried_again_is_a_setting() -> None:
    only_one = replace(POLICY, retry_on=("404",))
    assert isinstance(follow_up(only_one, tried(status=404), 1, DIES_AT, 0.0), Again)
    assert follow_up(only_one, tried(status=500), 1, DIES_AT, 0.0) == Ends("failed")
    assert follow_up(only_one, tried("silent"), 1, DIES_AT, 0.0) == Ends("failed")
    assert isinstance(follow_up(replace(POLICY, retry_on=("4xx",)), tried(status=418), 1, DIES_AT, 0.0), Again)


def test_the_function_says_when_to_come_again() -> None:
    wanted = tried(status=503, retry_after_s=60.0)
    assert follow_up(POLICY, wanted, 1, DIES_AT, 0.5) == Again(160.0, counts=True)
    assert follow_up(POLICY, replace(wanted, retry_after_s=0.5), 1, DIES_AT, 0.0) == Again(102.0, counts=True)


def test_what_would_be_too_old_by_then_is_dead_now() -> None:
    assert follow_up(POLICY, tried(status=500), 1, 101.0, 0.0) == Ends("dead")
    assert follow_up(POLICY, tried("postponed"), 1, 100.5, 0.0, pause_s=1.0) == Ends("dead")


def test_what_the_platform_could_not_hand_over_is_no_attempt() -> None:
    assert follow_up(POLICY, tried("postponed"), 50, DIES_AT, 0.0, pause_s=4.0) == Again(104.0, counts=False)


def test_pauses_double_up_to_five_minutes_and_are_spread_over_their_upper_half() -> None:
    assert [backoff_s(POLICY, attempts, 0.0) for attempts in (1, 2, 3, 9, 100)] == [2.0, 4.0, 8.0, 300.0, 300.0]
    assert backoff_s(POLICY, 2, 1.0) == 2.0
    assert backoff_s(replace(POLICY, backoff_s=1200.0), 3, 0.0) == 1200.0
    assert backoff_s(replace(POLICY, backoff_s=0.0), 3, 0.5) == 0.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"120", 120.0),
        (b" 7 ", 7.0),
        (b"Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (b"soon", None),
        (b"-1", None),
        (b"1.5", None),
        (b"", None),
        (None, None),
        ("²".encode("latin-1"), None),
    ],
)
def test_retry_after(value: bytes | None, seconds: float | None) -> None:
    assert retry_after_s(value, 100.0) == seconds
