"""Reading: one function with its status, many, and revisions."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from faasioflex.manager.functions.registry import Registry
from faasioflex.model.errors import RevisionNotFound
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.status import FunctionStatus


@dataclass(frozen=True)
class Seen:
    """A function as it stands: what users set, what the manager says of it, what the autoscaler decided."""

    record: FunctionRecord
    status: FunctionStatus | None
    scale: DesiredScale | None = None


@dataclass(frozen=True)
class Page:
    items: tuple[Seen, ...]
    after: str | None  # key of the last item, where there are more


async def get(registry: Registry, function: FunctionName) -> Seen:
    """From the leader. Raises: FunctionNotFound."""
    entry = await registry.find(function)
    return Seen(entry.value, await registry.status(entry.value), registry.scale_seen(entry.value))


async def list_functions(
    registry: Registry,
    *,
    namespace: str | None,
    labels: Mapping[str, str],
    after: str,
    limit: int,
    readable: Callable[[FunctionRecord], bool],
    among: Collection[str] | None = None,
) -> Page:
    """Those that are ``readable``, in order of ``ns.name``, beyond ``after``; the mirror shows all this process has written.

    ``among``: keys that are looked at; None: all.
    """
    await registry.caught_up()
    entries = registry.functions.entries
    candidates = entries.items() if among is None else [(key, entries[key]) for key in among if key in entries]
    fitting = (
        key
        for key, entry in candidates
        if key > after
        and (namespace is None or entry.value.spec.namespace == namespace)
        and labels.items() <= entry.value.spec.labels.items()
        and readable(entry.value)
    )
    keys = heapq.nsmallest(limit + 1, fitting)
    items = tuple(Seen(entries[key].value, registry.status_seen(entries[key].value)) for key in keys[:limit])
    return Page(items, keys[limit - 1] if len(keys) > limit else None)


async def revisions(registry: Registry, record: FunctionRecord) -> list[RevisionRecord]:
    """All that are kept, newest first."""
    found = await asyncio.gather(*(registry.revisions.get(key) for key in record.revisions.values()))
    return sorted((entry.value for entry in found if entry is not None), key=lambda one: one.number, reverse=True)


async def revision(registry: Registry, record: FunctionRecord, number: int) -> RevisionRecord:
    """Raises: RevisionNotFound."""
    key = record.revisions.get(number)
    entry = await registry.revisions.get(key) if key is not None else None
    if entry is None:
        raise RevisionNotFound(f"{record.function} has no revision {number}")
    return entry.value
