"""How much of an instance we use, learnt from its refusals."""

from __future__ import annotations

from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.slot import Slot
from faasioflex.model.route import Endpoint

BOUNDS = Bounds()


def slot(concurrency: int = 10) -> Slot:
    return Slot(Endpoint("i-1", "unix:/x"), concurrency)


def test_it_takes_as_many_as_its_concurrency() -> None:
    held = slot(2)
    for _ in range(2):
        assert held.takes(0.0)
        held.begin(0.0, 1)
    assert not held.takes(99.0)
    held.end()
    assert held.takes(0.0)


def test_after_a_refusal_it_is_asked_again_after_a_growing_pause() -> None:
    held = slot()
    now, pauses = 100.0, []
    for _ in range(6):
        held.begin(now, 1)
        held.refused(now, BOUNDS)
        assert not held.takes(now)
        again = held.asks_again_at()
        assert again is not None
        pauses.append(round(again - now, 4))
        now = again
        assert held.takes(now)
    assert pauses == [0.005, 0.01, 0.02, 0.04, 0.05, 0.05]


def test_a_call_of_ours_that_ends_makes_room_at_once() -> None:
    held = slot()
    held.begin(0.0, 1)
    held.begin(0.0, 2)
    held.refused(0.0, BOUNDS)
    assert not held.takes(0.001)
    held.end()
    assert held.takes(0.001)


def test_an_accepted_call_shortens_the_pause_again() -> None:
    held = slot()
    for _ in range(5):
        held.begin(0.0, 1)
        held.refused(0.0, BOUNDS)
    held.begin(1.0, 1)
    held.accepted(BOUNDS)
    held.begin(1.1, 2)
    held.refused(1.1, BOUNDS)
    again = held.asks_again_at()
    assert again is not None
    assert round(again - 1.1, 4) == 0.01


def test_a_dead_one_takes_nothing() -> None:
    held = slot()
    held.dead = True
    assert not held.takes(0.0)
    assert held.asks_again_at() is None
