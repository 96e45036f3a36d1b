"""Namespaces: one for each person, and shared ones that people or groups own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.principal import Principal
from faasioflex.identity.write import change, cut
from faasioflex.model.errors import Conflict, NotFound, WrongState
from faasioflex.model.identity import BindingsRecord, NamespaceRecord, Quota, Told, UserRecord


class Namespaces:
    def __init__(self, bus: Bus, directory: Directory) -> None:
        self._bucket: Bucket[NamespaceRecord] = bus.bucket(buckets.NAMESPACES.name, NamespaceRecord)
        self._bindings: Bucket[BindingsRecord] = bus.bucket(buckets.BINDINGS.name, BindingsRecord)
        self._quotas: Bucket[Quota] = bus.bucket(buckets.QUOTAS.name, Quota)
        self._users: Bucket[UserRecord] = bus.bucket(buckets.USERS.name, UserRecord)
        self._directory = directory

    def find(self, name: str) -> NamespaceRecord | None:
        entry = self._directory.namespaces.entries.get(name)
        return entry.value if entry is not None else None

    def get(self, name: str) -> NamespaceRecord:
        """Raises: NotFound."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"There is no namespace {name} that you may see")
        return found

    async def ensure(self, name: str, by: Principal, now: float) -> None:
        """Where somebody who may registers in a namespace that is not there yet, which only an admin can: theirs."""
        if self.find(name) is not None:
            return
        owners = tuple(subject for subject in by.subjects if subject.startswith("user:"))
        record = NamespaceRecord(name, owners, False, "", now, by.display, Told("created", by.acting))
        try:
            await self._bucket.create(name, record)
        except Conflict:
            return

    async def put(
        self, name: str, owners: Sequence[str], description: str, *, by: Principal, now: float
    ) -> tuple[NamespaceRecord, bool]:
        """``owners`` as they are stored. The record, and whether it is new."""
        told = Told("created", by.acting)
        wanted = NamespaceRecord(name, tuple(sorted(set(owners))), False, description, now, by.display, told)

        def make(entry: Entry[NamespaceRecord] | None) -> NamespaceRecord:
            if entry is None:
                return wanted
            return replace(
                entry.value, owners=wanted.owners, description=description, told=replace(told, change="updated")
            )

        return await change(self._bucket, self._directory.namespaces, name, make)

    async def delete(self, name: str) -> None:
        """With its bindings and its quota. Raises: NotFound; WrongState where it is somebody's own."""
        self.get(name)
        whose = [entry.value.email for entry in self._directory.users.entries.values() if entry.value.namespace == name]
        if whose:
            raise WrongState(f"{name} is the own namespace of {', '.join(filter(None, whose)) or 'the local admin'}")
        await cut(self._bindings, self._directory.bindings, name)
        await self._quotas.delete(name)
        await cut(self._bucket, self._directory.namespaces, name)
