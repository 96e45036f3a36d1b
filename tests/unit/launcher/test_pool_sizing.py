"""How many sandboxes wait, from what was started lately."""

from __future__ import annotations

from faasioflex.runtime.launcher.pool.shape import Shape
from faasioflex.runtime.launcher.pool.sizing import (
    BURST_S,
    LEAST,
    MOST,
    RECENT_S,
    Demand,
    next_to_start,
    surplus,
    targets,
)

MIB = 2**20
PYTHON, NODE = (Shape(name, 128 * MIB, 64 * MIB, 64, platform=True) for name in ("python", "node"))
EACH = {PYTHON: 16 * MIB, NODE: 32 * MIB}


def test_a_usual_shape_has_some_from_the_start() -> None:
    assert Demand(usual=True).wanted(0.0) == LEAST
    assert Demand().wanted(0.0) == 0


def test_as_many_as_the_busiest_moment_wanted() -> None:
    demand = Demand()
    for at in (0.0, 1.0, 2.0, 2.0 + BURST_S + 1, 3.0 + BURST_S + 1):
        demand.note(at)
    assert demand.wanted(10.0) == 3


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    demand = Demand()
    demand.note(0.0)
    assert demand.wanted(RECENT_S) == 1
    assert demand.wanted(RECENT_S + 1) == 0


def test_a_flood_wants_no_more_than_are_worth_it() -> None:
    demand = Demand()
    for _ in range(200):
        demand.note(1.0)
    assert demand.wanted(1.0) == MOST


def test_every_shape_has_its_first_before_any_has_its_second() -> None:
    assert targets({PYTHON: 8, NODE: 1}, EACH, 80 * MIB, [PYTHON, NODE]) == {PYTHON: 3, NODE: 1}
    assert next_to_start({PYTHON: 3, NODE: 1}, {PYTHON: 1}) == NODE
    assert next_to_start({PYTHON: 3, NODE: 1}, {PYTHON: 1, NODE: 1}) == PYTHON


def test_memory_is_the_bound_and_who_was_asked_for_last_is_first() -> None:
    wanted = {PYTHON: 8, NODE: 8}
    assert targets(wanted, EACH, 40 * MIB, [NODE, PYTHON]) == {NODE: 1, PYTHON: 0}
    assert targets(wanted, EACH, 40 * MIB, [PYTHON, NODE]) == {PYTHON: 2, NODE: 0}
    assert targets(wanted, EACH, 200 * MIB, [PYTHON, NODE]) == {PYTHON: 4, NODE: 4}


def test_enough_is_enough_and_what_is_too_much_goes() -> None:
    assert next_to_start({PYTHON: 2}, {PYTHON: 2}) is None
    assert surplus({PYTHON: 2}, {PYTHON: 3, NODE: 2}) == [PYTHON, NODE, NODE]
