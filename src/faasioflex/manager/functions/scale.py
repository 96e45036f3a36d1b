"""A number of instances, wanted now."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.bus.port import Entry
from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.revise import Step
from faasioflex.manager.functions.update import Guard, change
from faasioflex.model.function import FunctionRecord, ScaleRequest
from faasioflex.model.names import FunctionName


async def scale(
    registry: Registry, function: FunctionName, instances: int, *, now: float, guard: Guard | None = None
) -> Entry[FunctionRecord]:
    """At least ``instances`` from now on (``max_instances`` is raised where it is below); 0 also stops what runs.

    Raises: FunctionNotFound, Conflict.
    """

    async def next_step(record: FunctionRecord) -> Step | None:
        scaling = record.spec.scaling
        wanted = replace(scaling, min_instances=instances, max_instances=max(scaling.max_instances, instances))
        spec = replace(record.spec, scaling=wanted)
        request = ScaleRequest(instances, now)
        return Step(replace(record, spec=spec, scale=request, updated_at=now, change="updated"), None)

    return await change(registry, function, next_step, guard)
