"""How long whoever guesses waits."""

from __future__ import annotations

import pytest

from faasioflex.identity.issuer.throttle import (
    FORGET_S,
    FREE_OF_ACCOUNT,
    FREE_OF_ADDRESS,
    LONGEST_OF_ACCOUNT_S,
    Throttle,
)
from faasioflex.model.errors import RateLimited


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def waited(throttle: Throttle, account: str, address: str = "192.0.2.1") -> int:
    """0 where the try may begin."""
    try:
        throttle.begin(account, address)
    except RateLimited as error:
        return error.retry_after_s or 0
    return 0


def test_the_wait_doubles_and_has_an_end() -> None:
    clock, waits = Clock(), []
    throttle = Throttle(clock)
    for number in range(FREE_OF_ACCOUNT):
        assert waited(throttle, "ada", f"192.0.2.{number}") == 0
    for number in range(8):
        waits.append(waited(throttle, "ada", f"198.51.100.{number}") - 1)
        clock.now += waits[-1] + 1
        assert waited(throttle, "ada", f"198.51.100.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert max(waits) == LONGEST_OF_ACCOUNT_S


def test_accounts_are_one_in_upper_and_lower_case() -> None:
    throttle = Throttle(Clock())
    for name in ("ada", "Ada", "ADA", "aDa", "adA")[:FREE_OF_ACCOUNT]:
        assert waited(throttle, name) == 0
    assert waited(throttle, "ada", "198.51.100.1") > 0


def test_a_right_one_takes_nothing_and_leaves_the_waits_of_others() -> None:
    throttle = Throttle(Clock())
    for number in range(FREE_OF_ADDRESS * 2):
        throttle.held(throttle.begin(f"person-{number}", "192.0.2.1"))
    mine = throttle.begin("eve", "192.0.2.1")
    for number in range(FREE_OF_ADDRESS - 1):
        throttle.begin(f"person-{number}", "192.0.2.1")
    throttle.held(mine)
    assert waited(throttle, "eve") > 0


def test_success_forgets_the_accounts_failures_only() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(FREE_OF_ACCOUNT):
        throttle.begin("ada", f"192.0.2.{number}")
    throttle.succeeded("ada")
    assert waited(throttle, "ada", "192.0.2.9") == 0


def test_failures_are_forgotten_after_an_hour() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_OF_ACCOUNT):
        throttle.begin("ada", "192.0.2.1")
    with pytest.raises(RateLimited):
        throttle.begin("ada", "192.0.2.1")
    clock.now += FORGET_S + 61
    assert [waited(throttle, "ada") for _ in range(FREE_OF_ACCOUNT - 1)] == [0] * (FREE_OF_ACCOUNT - 1)
