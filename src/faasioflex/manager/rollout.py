"""When a new revision takes the traffic: as soon as one instance of it is ready, or as many as the function always keeps."""

from __future__ import annotations

from faasioflex.manager.state import FunctionState, RevisionState
from faasioflex.model.status import traffic

LONGEST_S = 30.0  # with one ready, the others do not hold it up longer


def seen_ready(state: FunctionState, revision: RevisionState, now: float) -> None:
    """An instance of it is ready: note whether it may take traffic (``first_ready_at``).

    With ``min_instances`` nobody is to wait for a start: what serves goes on until the new one has as many.
    """
    if revision.first_ready_at is not None:
        return
    revision.healthy_at = revision.healthy_at or now
    if may_serve(state, revision, now):
        revision.first_ready_at = now


def may_serve(state: FunctionState, revision: RevisionState, now: float) -> bool:
    """Of one that is healthy and has not served yet."""
    scaling = state.record.spec.scaling
    kept = min(scaling.min_instances, max(1, scaling.max_instances))
    if revision.number not in state.record.rollouts or not traffic(state.record, state.status):
        return True  # it is only checked, or nothing serves that could go on
    return len(state.ready_of(revision.number)) >= kept or now >= until(revision)


def until(revision: RevisionState) -> float:
    """When it takes the traffic however many it has."""
    return (revision.healthy_at or 0.0) + LONGEST_S


def enough_waited(state: FunctionState, now: float) -> None:
    """Let those serve that need not wait any longer."""
    for revision in state.revisions.values():
        if is_waiting(state, revision) and may_serve(state, revision, now):
            revision.first_ready_at = now


def is_waiting(state: FunctionState, revision: RevisionState) -> bool:
    """Healthy, and not serving because more instances are to come."""
    return revision.first_ready_at is None and not revision.failed and bool(state.ready_of(revision.number))
