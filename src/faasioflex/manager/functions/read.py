"""Reading: one function with its status, many, and revisions."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from faasioflex.manager.functions.registry import Registry
from faasioflex.model.errors import RevisionNotFound
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.status import DesiredScale, FunctionStatus


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
    names = registry.names if among is None else sorted(key for key in among if key in entries)
    fitting = (
        key
        for key in _of_namespace(names, namespace, after)
        if labels.items() <= entries[key].value.spec.labels.items() and readable(entries[key].value)
    )
    keys = list(islice(fitting, limit + 1))
    records = [entries[key].value for key in keys[:limit]]
    items = tuple(Seen(one, registry.status_seen(one), registry.scale_seen(one)) for one in records)
    return Page(items, keys[limit - 1] if len(keys) > limit else None)


def _of_namespace(names: list[str], namespace: str | None, after: str) -> Iterator[str]:
    """Of sorted ``names`` those beyond ``after``; what comes before them costs nothing."""
    first = bisect_right(names, after)
    last = len(names)
    if namespace is not None:
        first, last = max(first, bisect_left(names, f"{namespace}.")), bisect_left(names, f"{namespace}/")
    return (names[place] for place in range(first, last))


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
