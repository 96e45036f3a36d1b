"""The end of a function: mark it, and wait until the manager has drained its instances and removed it."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.update import ATTEMPTS, Guard
from faasioflex.model.errors import Conflict, Unavailable
from faasioflex.model.names import FunctionName

DRAIN_MARGIN_S = 60.0  # beyond the longest call: acknowledgements of gateway and invoker, stopping, removing


async def delete(registry: Registry, function: FunctionName, *, now: float, guard: Guard | None = None) -> None:
    """Return when the name is free again. Marking is what counts: a caller that leaves does not stop it.

    Raises: FunctionNotFound; Conflict; Unavailable where calls are still running at the end of the wait.
    """
    for _ in range(ATTEMPTS):
        entry = await registry.find(function)
        record = entry.value
        if guard is not None:
            guard(record)
        if record.deleting:
            break
        try:
            entry = await registry.commit(replace(record, change="deleting", updated_at=now), entry.revision)
            break
        except Conflict:
            continue
    else:
        raise Conflict(f"{function} is being changed by others all the time: repeat the request")
    marked, uid = entry.revision, record.uid

    def gone() -> bool:
        seen = registry.functions.entries.get(function.key)
        return registry.functions.revision >= marked and (seen is None or seen.value.uid != uid)

    if not await registry.until(gone, record.spec.limits.timeout_s + DRAIN_MARGIN_S):
        raise Unavailable(
            f"{function} is marked as deleted, but its instances are not gone yet: ask again", retry_after_s=5
        )
