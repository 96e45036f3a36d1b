"""The values that rules look at."""

from __future__ import annotations

from faasioflex.api.load import Load
from faasioflex.api.measures import Measures
from faasioflex.model.alert import AlertKind
from faasioflex.model.names import FunctionName

WINDOW_S = 60.0
CRASHES_S = 300.0
FEWEST_CALLS = 20  # of fewer in the window no error rate is taken for bad
FEWEST_REFUSED = 5


def of_function(
    function: FunctionName, measures: Measures, load: Load, firing: frozenset[AlertKind]
) -> dict[AlertKind, float | None]:
    """None while those who would tell are silent. ``firing``: what has begun ends by the share alone, however few calls."""
    crashes = float(measures.count(function, CRASHES_S, "crashes"))
    if load.blind():
        return {"overload": None, "error-rate": None, "queue-age": None, "crash-loop": crashes}
    answered = measures.count(function, WINDOW_S, "answered")
    errors, refused = (measures.count(function, WINDOW_S, "errors"), measures.count(function, WINDOW_S, "refused"))
    return {
        "overload": overload(answered, refused, firing="overload" in firing),
        "error-rate": error_rate(answered, errors, firing="error-rate" in firing),
        "queue-age": measures.present.queue(function).oldest_s,
        "crash-loop": crashes,
    }


def of_platform(measures: Measures) -> dict[AlertKind, float | None]:
    node = measures.present.node()
    return {"capacity": node.reserved_bytes * 100 / node.budget_bytes if node.budget_bytes else None}


def overload(answered: int, refused: int, *, firing: bool) -> float:
    """Percent of the calls that found no place."""
    if not refused or (refused < FEWEST_REFUSED and not firing):
        return 0.0
    return refused * 100 / max(answered, refused)


def error_rate(answered: int, errors: int, *, firing: bool) -> float:
    """Percent of the answers that were 500 and above."""
    if not answered or (answered < FEWEST_CALLS and not firing):
        return 0.0
    return errors * 100 / answered
