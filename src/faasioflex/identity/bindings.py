"""Roles of people and groups in a namespace: one for each."""

from __future__ import annotations

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.write import change, cut
from faasioflex.model.errors import Invalid, NotFound
from faasioflex.model.identity import Binding, BindingsRecord, Role, Told

MOST_BINDINGS = 1000


class Bindings:
    def __init__(self, bus: Bus, directory: Directory) -> None:
        self._bucket: Bucket[BindingsRecord] = bus.bucket(buckets.BINDINGS.name, BindingsRecord)
        self._directory = directory

    def of(self, namespace: str) -> tuple[Binding, ...]:
        entry = self._directory.bindings.entries.get(namespace)
        return entry.value.bindings if entry is not None else ()

    async def put(self, namespace: str, to: str, role: Role, *, by: str) -> bool:
        """``to`` as it is stored; ``by``: uid. Whether it is new. Raises: Invalid (too many)."""
        new = False

        def make(entry: Entry[BindingsRecord] | None) -> BindingsRecord:
            nonlocal new
            held = entry.value.bindings if entry is not None else ()
            others = tuple(one for one in held if one.to != to)
            new = len(others) == len(held)
            if len(others) >= MOST_BINDINGS:
                raise Invalid(f"{namespace} has {MOST_BINDINGS} bindings: use groups")
            told = Told("created" if new else "updated", by, to)
            return BindingsRecord(namespace, tuple(sorted((*others, Binding(to, role)), key=lambda one: one.to)), told)

        await change(self._bucket, self._directory.bindings, namespace, make)
        return new

    async def delete(self, namespace: str, to: str, *, by: str) -> None:
        """Raises: NotFound."""
        if all(one.to != to for one in self.of(namespace)):
            raise NotFound(f"{namespace} has no binding to {to}")

        def make(record: BindingsRecord) -> BindingsRecord:
            left = tuple(one for one in record.bindings if one.to != to)
            return BindingsRecord(namespace, left, Told("deleted", by, to))  # also an empty one: it says who did it

        await cut(self._bucket, self._directory.bindings, namespace, make)
