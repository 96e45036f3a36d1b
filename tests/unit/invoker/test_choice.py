"""Which revision, and whether a function that serves nothing is on its way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.dispatcher import being_made
from faasioflex.invoker.split import choose
from faasioflex.model.function import Limits
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute


def route(traffic: dict[int, int], *revisions: int, message: str | None = None) -> FunctionRoute:
    return FunctionRoute("u", "private", traffic, {number: RevisionRoute(Limits()) for number in revisions}, message)


def test_shares_are_kept() -> None:
    split = route({1: 70, 2: 20, 3: 10}, 1, 2, 3)
    chosen = Counter(choose(split, None, lambda point=point: point / 1000) for point in range(1000))  # type: ignore[misc]
    assert chosen == {1: 700, 2: 200, 3: 100}


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_a_revision_without_share_or_without_record_is_never_chosen(point: float) -> None:
    assert choose(route({1: 0, 2: 60, 3: 40}, 1, 2), None, lambda: point) == 2


def test_the_gateways_revision_wins_while_it_has_traffic_or_an_instance() -> None:
    live = RevisionRoute(Limits(), (Endpoint("i-1", "unix:/x"),))
    assert choose(route({1: 50, 2: 50}, 1, 2), 2, lambda: 0.0) == 2
    assert choose(FunctionRoute("u", "private", {1: 100}, {1: live, 2: live}), 2, lambda: 0.0) == 2
    assert choose(route({1: 100}, 1, 2), 2, lambda: 0.0) == 1, "an old one is not started again"
    assert choose(route({1: 100}, 1, 2), 9, lambda: 0.0) == 1
    assert choose(route({}), None, lambda: 0.0) is None


def test_the_callers_own_choice_is_started_whatever_the_split() -> None:
    assert choose(route({1: 100}, 1, 2), 2, lambda: 0.0, pinned=True) == 2


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        (None, True),
        ("revision 1 is building; no revision serves yet", True),
        ("Revision 12 is starting", True),
        ("revision 1 failed: starting the server is building on sand", False),
        ("no revision has traffic: give one some", False),
    ],
)
def test_only_what_is_being_made_is_waited_for(message: str | None, waits: bool) -> None:
    assert being_made(route({}, message=message)) is waits
    assert not being_made(route({1: 100}, 1, message=message))
