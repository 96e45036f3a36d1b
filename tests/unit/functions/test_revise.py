"""Which changes make a revision, and which revisions are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.functions.revise import KEPT_REVISIONS, Wanted, first, following
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, Limits, Network, Rollout, Scaling
from faasioflex.model.status import FunctionStatus, RevisionStatus, traffic

SPEC = FunctionSpec("a", "b", "python")
CODE = CodeSource("a" * 64, 1)


def begun(rollout: Rollout | None = None) -> FunctionRecord:
    return first(Wanted(SPEC, CODE, rollout), "me", 1.0).record


def test_a_first_step() -> None:
    step = first(Wanted(SPEC, CODE), "me", 1.0)
    assert step.revision is not None
    key, revision = step.revision
    assert step.record.revisions == {1: key}
    assert key.startswith("a.b.1-")
    assert (revision.number, revision.function_uid, revision.source) == (1, step.record.uid, CODE)
    assert first(Wanted(SPEC, CODE), "me", 1.0).record.uid != step.record.uid


@pytest.mark.parametrize(
    "fields",
    [
        {"runtime": "exec"},
        {"handler": "main:other"},
        {"env": {"A": "1"}},
        {"secrets": ("s",)},
        {"limits": Limits(queue=1)},
        {"network": Network(("x",))},
    ],
)
def test_what_makes_a_revision(fields: dict[str, Any]) -> None:
    step = following(begun(), Wanted(replace(SPEC, **fields), CODE), None, "me", 2.0)
    assert step is not None
    assert step.revision is not None
    assert (step.record.latest, step.record.rollouts, step.record.change) == (2, (1, 2), "updated")


@pytest.mark.parametrize(
    "fields",
    [{"visibility": "public"}, {"scaling": Scaling(max_instances=7)}, {"labels": {"a": "b"}}, {"description": "x"}],
)
def test_what_changes_in_place(fields: dict[str, Any]) -> None:
    step = following(begun(), Wanted(replace(SPEC, **fields), CODE), None, "me", 2.0)
    assert step is not None
    assert (step.revision, step.record.latest, step.record.updated_at) == (None, 1, 2.0)


def test_the_same_again_is_nothing() -> None:
    record = begun()
    assert following(record, Wanted(SPEC, CODE), None, "me", 2.0) is None
    assert following(record, Wanted(SPEC, CODE, "all"), None, "me", 2.0) is None
    assert following(begun("none"), Wanted(SPEC, CODE, "none"), None, "me", 2.0) is None
    rolled = following(begun("none"), Wanted(SPEC, CODE, "all"), None, "me", 2.0)
    assert rolled is not None
    assert (rolled.revision, rolled.record.rollouts) == (None, (1,))


@given(st.lists(st.tuples(st.sampled_from(["all", "none"]), st.booleans(), st.booleans()), max_size=70))
def test_whatever_happens_what_serves_is_kept(history: list[tuple[Rollout, bool, bool]]) -> None:
    """Each entry: how a revision rolls out, whether it becomes ready, whether the user then pins the traffic to it."""
    record, status = begun(), FunctionStatus("x", {})
    status = replace(status, function_uid=record.uid, revisions={1: RevisionStatus("ready", first_ready_at=1.0)})
    for number, (rollout, ready, pinned) in enumerate(history, 2):
        before = traffic(record, status)
        step = following(
            record, Wanted(replace(SPEC, env={"N": str(number)}), CODE, rollout), status, "me", float(number)
        )
        assert step is not None
        record = step.record
        assert traffic(record, status) == before, "a revision that is not ready moves no traffic"
        if ready:
            status = replace(status, revisions={**status.revisions, number: RevisionStatus("idle", first_ready_at=1.0)})
            if pinned:
                record = replace(record, split={number: 100}, rollouts=())
        assert set(traffic(record, status)) <= set(record.revisions)
        assert set(record.rollouts) <= set(record.revisions)
        assert record.latest in record.revisions
        assert len(record.revisions) <= KEPT_REVISIONS + 2


def test_a_failed_newest_revision_is_tried_again_where_that_is_asked_for_by_word() -> None:
    record = begun()
    failed = FunctionStatus(record.uid, {1: RevisionStatus("failed", "no disk")})
    again = following(record, Wanted(SPEC, CODE, "all"), failed, "me", 2.0)
    assert again is not None
    assert again.revision is not None
    assert (again.record.latest, again.record.rollouts) == (2, (1, 2))
    assert following(record, Wanted(SPEC, CODE), failed, "me", 2.0) is None
    serving = FunctionStatus(record.uid, {1: RevisionStatus("ready")})
    assert following(record, Wanted(SPEC, CODE, "all"), serving, "me", 2.0) is None
