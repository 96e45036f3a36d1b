"""Traffic: an explicit split between revisions, and going back to an earlier one."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.bus.port import Entry
from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.revise import Step
from faasioflex.manager.functions.update import Guard, change
from faasioflex.model.errors import FieldError, Invalid, RevisionNotFound, WrongState
from faasioflex.model.function import FunctionRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.status import FunctionStatus, serving


async def set_traffic(
    registry: Registry, function: FunctionName, split: dict[int, int], *, now: float, guard: Guard | None = None
) -> Entry[FunctionRecord]:
    """Share calls between revisions: number -> percent, summing to 100. It stays until a newer revision rolls out.

    Raises: Invalid for revisions that do not exist or have failed; WrongState for those that were never ready yet.
    """
    shares = {number: percent for number, percent in sorted(split.items()) if percent}

    async def next_step(record: FunctionRecord) -> Step | None:
        status = await registry.status(record)
        unknown = tuple(
            FieldError(f"/{number}", f"There is no revision {number}")
            for number in split
            if number not in record.revisions
        )
        if unknown:
            raise Invalid(f"{function} has no revision {unknown[0].pointer[1:]}", errors=unknown)
        for number in shares:
            check_ready(record, status, number)
        return _apply(record, shares, now)

    return await change(registry, function, next_step, guard)


async def roll_back(
    registry: Registry, function: FunctionName, revision: int | None, *, now: float, guard: Guard | None = None
) -> Entry[FunctionRecord]:
    """All calls to ``revision``, by default to the newest one before what serves now that was ready once.

    Raises: RevisionNotFound; WrongState where there is no earlier one; Invalid where it has failed.
    """

    async def next_step(record: FunctionRecord) -> Step | None:
        status = await registry.status(record)
        if revision is not None and revision not in record.revisions:
            raise RevisionNotFound(f"{function} has no revision {revision}")
        target = revision if revision is not None else _before(record, status)
        check_ready(record, status, target)
        return _apply(record, {target: 100}, now)

    return await change(registry, function, next_step, guard)


def check_ready(record: FunctionRecord, status: FunctionStatus | None, number: int) -> None:
    """Calls go only to what was healthy once. Raises: Invalid (failed), WrongState (not ready yet)."""
    known = status.revisions.get(number) if status is not None else None
    if known is not None and known.state == "failed":
        why = f"Revision {number} of {record.function} has failed and can take no calls: {known.message or 'see its logs'}"
        raise Invalid(why, errors=(FieldError(f"/{number}", "This revision has failed"),))
    if known is None or known.first_ready_at is None:
        raise WrongState(f"Revision {number} of {record.function} is not ready yet: repeat this when it is")


def _before(record: FunctionRecord, status: FunctionStatus | None) -> int:
    now_serving = serving(record, status)
    if status is not None and now_serving is not None:
        earlier = [
            number
            for number in record.revisions
            if number < now_serving
            and (known := status.revisions.get(number)) is not None
            and known.first_ready_at is not None
            and known.state != "failed"
        ]
        if earlier:
            return max(earlier)
    raise WrongState(f"{record.function} has no earlier revision that was ready: there is nothing to go back to")


def _apply(record: FunctionRecord, shares: dict[int, int], now: float) -> Step | None:
    if record.split == shares and not record.rollouts:
        return None
    return Step(replace(record, split=shares, rollouts=(), updated_at=now, change="updated"), None)
