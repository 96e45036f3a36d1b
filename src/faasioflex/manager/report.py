"""From the manager's knowledge of a function to what it writes: status for people, route for gateway and invoker. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from faasioflex.manager.state import FunctionState, RevisionState
from faasioflex.model.function import RevisionRecord
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus, RevisionStatus, traffic
from faasioflex.model.status import RevisionState as RevisionStateName

WHY_FRESH_S = 120.0  # instances that start later than that after a decision start for another reason


def revision_status(state: FunctionState, revision: RevisionState) -> RevisionStatus:
    """``state`` and ``message`` of one revision in the words of the contract."""
    ready = len(state.ready_of(revision.number))
    name: RevisionStateName
    if revision.failed or revision.build == "failed":
        name = "failed"
    elif ready and revision.first_ready_at is not None:
        name = "ready"
    elif revision.first_ready_at is not None:
        name = "starting" if state.live_of(revision.number) else "idle"
    elif revision.build == "done":
        name = "starting"
    else:
        name = "building"
    return RevisionStatus(name, revision.held or revision.message, revision.build_s, revision.first_ready_at, ready)


def function_status(state: FunctionState, desired: DesiredScale | None = None, at: float = 0.0) -> FunctionStatus:
    """The status to write, with ``change`` naming what is new against the one written before.

    ``desired``: what the autoscaler decided; the reason for another number of instances, where it is fresh ``at`` that time.
    """
    revisions = {number: revision_status(state, state.revisions[number]) for number in sorted(state.revisions)}
    before = state.status.revisions if state.status and state.status.function_uid == state.record.uid else {}
    made = FunctionStatus(state.record.uid, revisions)
    for number, now in revisions.items():
        then = before.get(number)
        if now.first_ready_at is not None and (then is None or then.first_ready_at is None):
            return FunctionStatus(
                made.function_uid, revisions, "deployed", {"revision": number, "build_s": now.build_s}
            )
        if now.state == "failed" and (then is None or then.state != "failed"):
            return FunctionStatus(made.function_uid, revisions, "failed", {"revision": number, "message": now.message})
    total = sum(one.ready_instances for one in revisions.values())
    total_before = sum(one.ready_instances for one in before.values())
    if total != total_before:
        why = _why(desired, total - total_before, at)
        return FunctionStatus(made.function_uid, revisions, "scaled", {"from": total_before, "to": total, **why})
    return made


def _why(desired: DesiredScale | None, more: int, now: float) -> dict[str, str | int | float | None]:
    """The newest decision of the autoscaler, if it goes the same way. Else it was a call that woke it, or an end."""
    newest = desired.newest if desired is not None else None
    if newest is None or (newest[1].to - newest[1].before) * more <= 0 or newest[1].at < now - WHY_FRESH_S:
        return {}
    decision = newest[1]
    return {
        "signal": decision.signal,
        "value": decision.value,
        "threshold": decision.threshold,
        "unit": decision.unit,
        "reason": decision.reason,
    }


def function_route(
    state: FunctionState, status: FunctionStatus, records: Mapping[int, RevisionRecord]
) -> FunctionRoute:
    """Where calls go now. Revisions that were healthy once are in it, with the endpoints they have."""
    revisions: dict[int, RevisionRoute] = {}
    for number in sorted(records):
        revision = state.revisions.get(number)
        endpoints = tuple(
            Endpoint(one.id, one.instance.address, one.draining, one.frost != "")
            for one in sorted(state.instances.values(), key=lambda item: item.id)
            if one.revision == number and one.instance is not None and one.ready_at is not None
        )
        if endpoints or (revision is not None and revision.first_ready_at is not None):
            revisions[number] = RevisionRoute(records[number].limits, endpoints)
    shares = {number: share for number, share in traffic(state.record, status).items() if number in revisions}
    return FunctionRoute(
        function_uid=state.record.uid,
        visibility=state.record.spec.visibility,
        traffic=shares if sum(shares.values()) == 100 else {},
        revisions=revisions,
        message=_why_nothing_serves(state, status),
        deleting=state.record.deleting,
        cors=state.record.spec.cors,
        rate_limit=state.record.spec.rate_limit,
        asynchronous=state.record.spec.asynchronous,
        cache=state.record.spec.cache,
        max_instances=state.record.spec.scaling.max_instances,
    )


def _why_nothing_serves(state: FunctionState, status: FunctionStatus) -> str | None:
    if traffic(state.record, status):
        return None
    newest = status.revisions.get(state.record.latest)
    if newest is None or newest.state in ("building", "starting"):
        return f"revision {state.record.latest} is {newest.state if newest else 'building'}; no revision serves yet"
    if newest.state == "failed":
        return f"revision {state.record.latest} failed: {newest.message}"
    return "no revision has traffic: give one some with PUT /functions/NS/NAME/traffic (ffx traffic)"
