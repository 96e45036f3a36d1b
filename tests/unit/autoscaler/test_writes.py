"""What is stored for a verdict: each decision once, whatever else goes at the same moment."""

from __future__ import annotations

import pytest

from faasioflex.autoscaler.deciding import Verdict, View, writes
from faasioflex.autoscaler.samples import Proposal
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, Limits, ScaleRequest
from faasioflex.model.route import FunctionRoute, RevisionRoute
from faasioflex.model.status import DesiredScale

NOW = 1000.0


def view(known: dict[int, int], request: ScaleRequest | None = None) -> View:
    record = FunctionRecord(
        uid="u1",
        spec=FunctionSpec("acme", "hello", "python"),
        source=CodeSource("0" * 64, 1),
        latest=2,
        revisions={1: "acme.hello.1-x", 2: "acme.hello.2-x"},
        rollouts=(1, 2),
        split={},
        created_at=0.0,
        updated_at=0.0,
        change="updated",
    )
    return View(
        record=record,
        route=FunctionRoute("u1", "private", {2: 100}, dict.fromkeys((1, 2), RevisionRoute(Limits()))),
        known=DesiredScale("u1", known, "earlier", NOW - 10),
        request=request,
        scheduled=0,
        sighted_since=0.0,
        usage_lost=False,
        now=NOW,
    )


def asked(count: int) -> Proposal:
    return Proposal(count, "asked-for", float(count), None, "instances", f"{count} were asked for")


@pytest.mark.parametrize("known", [{1: 2, 2: 2}, {2: 2}])
def test_a_revision_that_leaves_with_a_decision_is_no_second_event(known: dict[int, int]) -> None:
    [only] = writes(view(known), Verdict({2: asked(1)}, rests=False))
    assert only.instances == {2: 1}
    assert (only.decisions[2].before, only.decisions[2].to) == (2, 1)


def test_each_revision_that_changes_is_an_event_of_its_own() -> None:
    found = writes(view({1: 1, 2: 2, 3: 1}), Verdict({1: asked(0), 2: asked(3)}, rests=False))
    assert [one.newest and one.newest[0] for one in found] == [1, 2]
    assert found[-1].instances == {1: 0, 2: 3}


def test_what_only_leaves_and_a_request_that_changes_nothing_are_stored_without_a_decision() -> None:
    [left] = writes(view({1: 0, 2: 1}), Verdict({2: asked(1)}, rests=False))
    [done] = writes(view({2: 1}, ScaleRequest(1, NOW - 1)), Verdict({2: asked(1)}, rests=False))
    assert left.instances == done.instances == {2: 1}
    assert not left.decisions
    assert not done.decisions
    assert not writes(view({2: 1}), Verdict({2: asked(1)}, rests=False))
