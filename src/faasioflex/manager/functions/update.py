"""Changes of a function: read, apply, write if nobody else wrote; again on the new state if somebody did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from faasioflex.bus.port import Entry
from faasioflex.manager.archive.canonical import Code
from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.revise import Step, Wanted, following
from faasioflex.model.errors import Conflict, WrongState
from faasioflex.model.function import FunctionRecord
from faasioflex.model.names import FunctionName

ATTEMPTS = 8
Guard = Callable[[FunctionRecord], None]  # raises PreconditionFailed where an If-Match does not hold


async def change(
    registry: Registry,
    function: FunctionName,
    next_step: Callable[[FunctionRecord], Awaitable[Step | None]],
    guard: Guard | None = None,
    code: Code | None = None,
) -> Entry[FunctionRecord]:
    """Write what ``next_step`` makes of the newest record; None from it changes nothing.

    Raises: FunctionNotFound; WrongState (being deleted); Conflict (too many writers at once); what ``guard`` and ``next_step`` raise.
    """
    for _ in range(ATTEMPTS):
        entry = await registry.find(function)
        if guard is not None:
            guard(entry.value)
        if entry.value.deleting:
            raise WrongState(f"{function} is being deleted")
        step = await next_step(entry.value)
        if step is None:
            return entry
        if step.revision is not None:
            await registry.prepare(*step.revision, code)
        try:
            return await registry.commit(step.record, entry.revision)
        except Conflict:
            continue
    raise Conflict(f"{function} is being changed by others all the time: repeat the request")


async def update(
    registry: Registry,
    function: FunctionName,
    apply: Callable[[FunctionRecord], Wanted],
    code: Code | None,
    *,
    actor: str,
    now: float,
    guard: Guard | None = None,
) -> Entry[FunctionRecord]:
    """PUT and PATCH: ``apply`` gives what is wanted, from the record as it stands at each attempt.

    ``code`` (which ``apply`` refers to) is stored before anything that names it. Raises as :func:`change`.
    """

    async def next_step(record: FunctionRecord) -> Step | None:
        return following(record, apply(record), await registry.status(record), actor, now)

    return await change(registry, function, next_step, guard, code)
