"""What a namespace uses of its quota, and whether it may use more."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from faasioflex.identity.quotas import Quotas, check_functions, check_kept, check_storage
from faasioflex.manager.functions.registry import Registry
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, Source
from faasioflex.model.names import FunctionName


async def used(registry: Registry, namespace: str) -> dict[str, int]:
    """Functions, instances and their memory, bytes of code."""
    await registry.caught_up()
    records = _records(registry, namespace)
    instances = memory_bytes = 0
    for record in records:
        status = registry.status_seen(record)
        ready = sum(one.ready_instances for one in status.revisions.values()) if status is not None else 0
        instances += ready
        memory_bytes += ready * record.spec.limits.memory_bytes
    return {
        "functions": len(records),
        "instances": instances,
        "memory_bytes": memory_bytes,
        "storage_bytes": sum(size for size in (await _code(registry, records)).values()),
    }


async def check_room(registry: Registry, quotas: Quotas, function: FunctionName, source: Source, *, new: bool) -> None:
    """For a function that is to be registered (``new``) or gets other code. Raises: QuotaExceeded."""
    quota = await quotas.get(function.namespace)
    if not any(value is not None for value in asdict(quota).values()):
        return
    await registry.caught_up()
    records = _records(registry, function.namespace)
    if new:
        check_functions(quota, function.namespace, len(records))
    if quota.storage_bytes is not None and isinstance(source, CodeSource):
        held = await _code(registry, records)
        if source.sha256 not in held:
            check_storage(quota, function.namespace, sum(held.values()), source.size_bytes)


async def check_instances(registry: Registry, quotas: Quotas, spec: FunctionSpec) -> None:
    """For a function that is to keep ``min_instances``, beside what others of its namespace keep. Raises: QuotaExceeded."""
    quota = await quotas.get(spec.namespace)
    kept = spec.scaling.min_instances
    if kept == 0 or (quota.instances is None and quota.memory_bytes is None):
        return
    await registry.caught_up()
    specs = [one.spec for one in _records(registry, spec.namespace) if one.spec.name != spec.name]
    specs.append(spec)
    check_kept(
        quota,
        spec.namespace,
        sum(one.scaling.min_instances for one in specs),
        sum(one.scaling.min_instances * one.limits.memory_bytes for one in specs),
    )


def _records(registry: Registry, namespace: str) -> list[FunctionRecord]:
    return [entry.value for entry in registry.functions.entries.values() if entry.value.spec.namespace == namespace]


async def _code(registry: Registry, records: list[FunctionRecord]) -> dict[str, int]:
    """Digest -> bytes, of every kept revision."""
    keys = [key for record in records for key in record.revisions.values()]
    found = await asyncio.gather(*(registry.revisions.get(key) for key in keys))
    sources = [entry.value.source for entry in found if entry is not None]
    return {one.sha256: one.size_bytes for one in sources if isinstance(one, CodeSource)}
