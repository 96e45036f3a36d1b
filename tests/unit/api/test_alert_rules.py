"""When alerts begin and end, with a clock of our own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.api.alerts.rules import CALM_S, IDLE, Rule, Thresholds, Turn, Watch, rules, step
from faasioflex.api.alerts.signals import FEWEST_CALLS, FEWEST_REFUSED, error_rate, overload

RULE = Rule("error-rate", 10.0, 5.0, 30.0, 60.0, "%", "{value} {threshold}")


def turns(values: list[tuple[float, float | None]], rule: Rule = RULE, watch: Watch = IDLE) -> list[tuple[float, Turn]]:
    """``values``: when, what."""
    found: list[tuple[float, Turn]] = []
    for now, value in values:
        watch, turn = step(rule, watch, value, now)
        if turn is not None:
            found.append((now, turn))
    return found


def every(seconds: float, begin: float, end: float, value: float | None) -> list[tuple[float, float | None]]:
    count = int((end - begin) / seconds)
    return [(begin + number * seconds, value) for number in range(count)]


def test_it_begins_when_it_was_bad_for_so_long_and_ends_when_it_was_good_for_so_long() -> None:
    told = [*every(5, 0, 100, 12.0), *every(5, 100, 300, 4.9)]
    assert turns(told) == [(30, "begins"), (160, "ends")]


def test_a_short_peak_begins_nothing_and_a_short_calm_ends_nothing() -> None:
    assert not turns([*every(5, 0, 25, 90.0), *every(5, 25, 30, 0.0), *every(5, 30, 55, 90.0)])
    firing = Watch(firing=True)
    assert not turns([*every(5, 0, 55, 0.0), *every(5, 55, 60, 6.0), *every(5, 60, 110, 0.0)], watch=firing)


def test_between_the_two_thresholds_everything_stays() -> None:
    assert not turns(every(5, 0, 500, 7.0))
    assert not turns(every(5, 0, 500, 7.0), watch=Watch(firing=True))


def test_what_is_not_known_begins_nothing_and_ends_nothing() -> None:
    assert not turns([*every(5, 0, 25, 50.0), *every(5, 25, 40, None), *every(5, 40, 65, 50.0)])
    assert not turns(every(5, 0, 500, None), watch=Watch(firing=True))


def test_after_a_restart_what_fires_goes_on_until_it_is_over() -> None:
    """The figures begin anew, with nothing in them: that is calm, but not yet for long enough."""
    told = [*every(5, 0, 40, 0.0), *every(5, 40, 100, 50.0), *every(5, 100, 300, 0.0)]
    assert turns(told, watch=Watch(firing=True)) == [(160, "ends")]


@given(
    st.lists(st.tuples(st.floats(0.1, 40), st.one_of(st.none(), st.floats(0, 20))), max_size=120),
    st.floats(0, 20),
    st.floats(0, 1),
)
def test_whatever_comes_beginnings_and_ends_take_turns_and_keep_their_distance(
    told: list[tuple[float, float | None]], threshold: float, share: float
) -> None:
    rule = Rule("overload", threshold, threshold * share, 30.0, 60.0, "%", "")
    now, values = 0.0, []
    for pause, value in told:
        now += pause
        values.append((now, value))
    found = turns(values, rule)
    assert [turn for _, turn in found] == ["begins", "ends"] * (len(found) // 2) + ["begins"] * (len(found) % 2)
    for (before, _), (after, turn) in itertools.pairwise(found):
        assert after - before >= (rule.calm_s if turn == "ends" else rule.after_s)


def test_the_rules_come_from_the_settings_and_zero_switches_one_off() -> None:
    made = rules(Thresholds(error_percent=20, queue_age_s=0, after_s=7))
    assert set(made) == {"overload", "crash-loop", "error-rate", "capacity"}
    assert (made["error-rate"].threshold, made["error-rate"].clear, made["error-rate"].after_s) == (20, 10, 7)
    assert all(rule.clear <= rule.threshold and rule.calm_s == CALM_S for rule in made.values())
    for rule in made.values():
        said = rule.sentence.format(value=99.0, threshold=rule.threshold)
        assert "99" in said
        assert f"{rule.threshold:g}" in said


@pytest.mark.parametrize(
    ("answered", "errors", "firing", "value"),
    [
        (100, 25, False, 25.0),
        (FEWEST_CALLS - 1, FEWEST_CALLS - 1, False, 0.0),  # too few to begin
        (2, 1, True, 50.0),  # but not to go on
        (0, 0, True, 0.0),
    ],
)
def test_error_rates_of_few_calls_begin_nothing(answered: int, errors: int, firing: bool, value: float) -> None:
    assert error_rate(answered, errors, firing=firing) == value


def test_overload_is_the_share_that_found_no_place() -> None:
    assert overload(100, 20, firing=False) == 20
    assert overload(0, 20, firing=False) == 100
    assert overload(10, FEWEST_REFUSED - 1, firing=False) == 0
    assert overload(10, FEWEST_REFUSED - 1, firing=True) == 40
