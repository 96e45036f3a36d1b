"""The hour of figures of a function, with a clock of our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faasioflex.api.figures import COARSE_S, FINE_S, KEPT_S, Figures, Ring


def calls(answered: int, errors: int = 0) -> Figures:
    return Figures(answered, errors, durations={7: answered} if answered else {})


def test_sums_add_every_count() -> None:
    sums = Figures(1, 1, 1, 0.5, 10.0, {1: 1})
    sums.add(Figures(2, 0, 3, 0.25, 5.0, {1: 2, 4: 1}))
    assert sums == Figures(3, 1, 4, 0.75, 15.0, {1: 3, 4: 1})


def test_a_window_ends_to_the_report() -> None:
    ring = Ring()
    for at in range(0, 80, 2):
        ring.add(1000.0 + at, calls(1))
    assert ring.since(1068.0, 1078.0).answered == 5
    assert ring.since(1058.0, 1078.0).durations == {7: 10}
    assert ring.since(1078.0, 1078.0) == Figures()


def test_longer_ago_it_ends_to_the_minute() -> None:
    ring = Ring()
    for at in range(0, 1200, 2):
        ring.add(6000.0 + at, calls(2, errors=1))
    now = 7198.0
    found = ring.since(now - 600, now)
    assert abs(found.answered - 600) <= COARSE_S  # two calls each two seconds, half a minute more or less
    assert found.errors * 2 == found.answered
    assert ring.since(0, now).answered == 1200, "none is lost on the way"


def test_what_is_older_than_an_hour_goes_and_it_stays_small() -> None:
    ring = Ring()
    for at in range(0, 3 * int(KEPT_S), 2):
        ring.add(float(at), calls(1))
        assert len(ring) <= FINE_S / 2 + KEPT_S / COARSE_S + 2
    now = 3 * KEPT_S
    assert KEPT_S / 2 - COARSE_S <= ring.since(0, now).answered <= KEPT_S / 2 + COARSE_S
    assert ring.since(0, now + 2 * KEPT_S) == Figures()
    assert len(ring) == 0


@given(st.lists(st.floats(min_value=0, max_value=120), max_size=60), st.floats(min_value=0, max_value=KEPT_S))
def test_whatever_the_pauses_each_call_within_the_hour_is_there_once(pauses: list[float], later: float) -> None:
    ring, now, times = Ring(), 50_000.0, []
    for pause in pauses:
        now += pause
        times.append(now)
        ring.add(now, calls(1))
    now += later
    found = ring.since(now - KEPT_S, now).answered
    sure = sum(at > now - KEPT_S + COARSE_S for at in times)
    possible = sum(at > now - KEPT_S - COARSE_S for at in times)
    assert sure <= found <= possible
