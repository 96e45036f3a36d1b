"""Waiting for the newest revision, for requests with ``wait_s``."""

from __future__ import annotations

from faasioflex.manager.functions.registry import Registry
from faasioflex.model.function import FunctionRecord

SETTLED = frozenset({"ready", "idle", "failed"})


async def wait_settled(registry: Registry, record: FunctionRecord, timeout_s: float) -> bool:
    """Until the newest revision of ``record`` is ready, idle or failed, or the function is gone; False past ``timeout_s``."""
    if timeout_s <= 0:
        return False
    key, number = record.function.key, record.latest

    def settled() -> bool:
        status = registry.status_seen(record)
        known = status.revisions.get(number) if status is not None else None
        if known is not None and known.state in SETTLED:
            return True
        entry = registry.functions.entries.get(key)
        return entry is not None and (entry.value.uid != record.uid or entry.value.deleting)

    return await registry.until(settled, timeout_s)
