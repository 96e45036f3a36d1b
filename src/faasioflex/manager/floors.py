"""Until when a revision keeps one instance, whatever the autoscaler says. Pure."""

from __future__ import annotations

from faasioflex.manager.state import RevisionState
from faasioflex.model.function import FunctionRecord
from faasioflex.model.status import DesiredScale

FOREVER_S = 3600.0


def wake_floor(record: FunctionRecord, revision: RevisionState, scale: DesiredScale | None, now: float) -> float | None:
    """Until when a woken revision keeps one instance: ``idle_s`` long, and until the autoscaler has decided after the wake.

    A scale request after the wake ends it: who says «to zero» means it.
    """
    if revision.woken_at is None:
        return None
    if record.scale is not None and record.scale.at > revision.woken_at:
        return None
    if scale is None or scale.decided_at < revision.woken_at:
        return now + FOREVER_S
    return revision.woken_at + record.spec.scaling.idle_s


def checked_until(record: FunctionRecord, revision: RevisionState, rollout: str) -> float | None:
    """A revision deployed without traffic stays warm for ``idle_s`` after its check, for the traffic change.

    A scale request after the check ends that.
    """
    if revision.first_ready_at is None or rollout == "all":
        return None
    if record.scale is not None and record.scale.at > revision.first_ready_at:
        return None
    return revision.first_ready_at + record.spec.scaling.idle_s


def scheduled(scale: DesiredScale | None, revision: int) -> int:
    """Instances that the schedule asks for now, as far as that is more than would be wanted else."""
    decision = scale.decisions.get(revision) if scale is not None else None
    if scale is None or decision is None or decision.signal != "schedule" or decision.threshold is None:
        return 0
    least = int(decision.threshold)
    return least if scale.instances.get(revision, 0) >= least else 0
