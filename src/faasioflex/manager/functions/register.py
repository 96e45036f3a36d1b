"""A new function."""

from __future__ import annotations

from faasioflex.bus.port import Entry
from faasioflex.manager.archive.canonical import Code
from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.revise import Wanted, first
from faasioflex.model.errors import Conflict, FunctionExists, WrongState
from faasioflex.model.function import FunctionRecord, FunctionSpec, Rollout
from faasioflex.model.names import FunctionName

WAIT_FOR_DELETION_S = 10.0


async def check_free(registry: Registry, function: FunctionName) -> None:
    """Raises: FunctionExists; WrongState where the name is being deleted and is not free within a short wait."""
    entry = await registry.records.get(function.key)
    if entry is None:
        return
    if not entry.value.deleting:
        raise FunctionExists(f"There is a function {function} already: change it with PUT or PATCH, or delete it first")
    uid = entry.value.uid

    def gone() -> bool:
        seen = registry.functions.entries.get(function.key)
        return registry.functions.revision >= entry.revision and (seen is None or seen.value.uid != uid)

    if not await registry.until(gone, WAIT_FOR_DELETION_S):
        raise WrongState(
            f"{function} is being deleted: its last calls are still running. Register it again when it is gone"
        )


async def register(
    registry: Registry, spec: FunctionSpec, code: Code, rollout: Rollout | None, *, actor: str, now: float
) -> Entry[FunctionRecord]:
    """Store the code, then the first revision, then the function: the last write decides.

    Raises: FunctionExists, WrongState, Unavailable. Nothing that was stored is visible then; it is collected.
    """
    await check_free(registry, spec.function)
    step = first(Wanted(spec, code.source, rollout), actor, now)
    if step.revision is not None:
        await registry.prepare(*step.revision, code)
    try:
        return await registry.commit(step.record, None)
    except Conflict:
        raise FunctionExists(f"There is a function {spec.function} already: somebody else was faster") from None
