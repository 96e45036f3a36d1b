"""The values that rules look at."""

from __future__ import annotations

from faasioflex.api.figures import Figures
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
    last = measures.sums(function, WINDOW_S)
    blind = load.blind()
    return {
        "overload": None if blind else overload(last, firing="overload" in firing),
        "error-rate": None if blind else error_rate(last, firing="error-rate" in firing),
        "queue-age": None if blind else measures.present.queue(function).oldest_s,
        "crash-loop": float(measures.sums(function, CRASHES_S).crashes),
    }


def of_platform(measures: Measures) -> dict[AlertKind, float | None]:
    node = measures.present.node()
    return {"capacity": node.reserved_bytes * 100 / node.budget_bytes if node.budget_bytes else None}


def overload(last: Figures, *, firing: bool) -> float:
    """Percent of the calls that found no place."""
    if not last.refused or (last.refused < FEWEST_REFUSED and not firing):
        return 0.0
    return last.refused * 100 / max(last.answered, last.refused)


def error_rate(last: Figures, *, firing: bool) -> float:
    """Percent of the answers that were 500 and above."""
    if not last.answered or (last.answered < FEWEST_CALLS and not firing):
        return 0.0
    return last.errors * 100 / last.answered
