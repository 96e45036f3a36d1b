from __future__ import annotations

from faasioflex.platform.supervisor.backoff import LONGEST_S, STABLE_S, Backoff


def waits(lives: list[float]) -> list[float]:
    state, found = Backoff(), []
    for lived_s in lives:
        state, wait_s = state.died(lived_s)
        found.append(wait_s)
    return found


def test_the_first_restarts_take_less_than_half_a_second() -> None:
    assert sum(waits([0.1] * 3)) < 0.5


def test_the_wait_grows_to_a_bound() -> None:
    found = waits([0.0] * 40)
    assert found == sorted(found)
    assert found[-1] == LONGEST_S


def test_who_lived_long_starts_over() -> None:
    found = waits([0.0] * 10 + [STABLE_S] + [0.0])
    assert found[10] == found[0]
    assert found[11] == found[1]


def test_who_lives_almost_long_enough_does_not() -> None:
    assert waits([0.0, STABLE_S - 0.01, STABLE_S - 0.01])[2] > waits([0.0])[0]
