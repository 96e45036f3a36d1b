"""What the function manager would say, said by a test: every new revision becomes ready, what is deleted is removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from faasioflex.bus.buckets import FUNCTIONS, STATUS
from faasioflex.bus.port import Bus, Snapshot
from faasioflex.model.function import FunctionRecord
from faasioflex.model.status import FunctionStatus, RevisionState, RevisionStatus


async def say(bus: Bus, record: FunctionRecord, **states: RevisionState) -> None:
    """Write the status of some revisions: ``say(bus, record, r1="ready", r2="failed")``; the others stay as they were."""
    bucket = bus.bucket(STATUS.name, FunctionStatus)
    entry = await bucket.get(record.function.key)
    known = entry.value if entry is not None and entry.value.function_uid == record.uid else FunctionStatus(record.uid)
    revisions = dict(known.revisions)
    for name, state in states.items():
        number = int(name[1:])
        before = revisions.get(number, RevisionStatus("building"))
        was_ready = before.first_ready_at or (100.0 + number if state in ("ready", "idle") else None)
        revisions[number] = RevisionStatus(
            state,
            message="it does not start" if state == "failed" else None,
            build_s=0.5,
            first_ready_at=was_ready,
            ready_instances=1 if state == "ready" else 0,
        )
    await bucket.put(record.function.key, replace(known, revisions=revisions))


@asynccontextmanager
async def obliging_manager(bus: Bus) -> AsyncIterator[None]:
    """While open: revisions are ready at once and deletions done."""
    records = bus.bucket(FUNCTIONS.name, FunctionRecord)
    statuses = bus.bucket(STATUS.name, FunctionStatus)

    async def oblige(record: FunctionRecord) -> None:
        if record.deleting:
            await records.delete(record.function.key)
            await statuses.delete(record.function.key)
        else:
            await say(bus, record, **{f"r{record.latest}": "ready"})

    async def run() -> None:
        async with records.watch() as changes:
            async for item in changes:
                values = [entry.value for entry in item.entries] if isinstance(item, Snapshot) else [item.value]
                for record in values:
                    if record is not None:
                        await oblige(record)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
