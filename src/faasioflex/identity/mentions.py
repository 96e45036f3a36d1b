"""Where somebody is named: owners, bindings, grants, members. What is gone is named nowhere."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.identity.directory import Directory
from faasioflex.identity.write import cut
from faasioflex.model.identity import BindingsRecord, GrantsRecord, GroupRecord, NamespaceRecord, Told


class Mentions:
    """Each record is changed by itself: who dies in between finds the rest at the next try, and grants of who is gone give nothing."""

    def __init__(self, bus: Bus, directory: Directory) -> None:
        self._directory = directory
        self._namespaces: Bucket[NamespaceRecord] = bus.bucket(buckets.NAMESPACES.name, NamespaceRecord)
        self._bindings: Bucket[BindingsRecord] = bus.bucket(buckets.BINDINGS.name, BindingsRecord)
        self._grants: Bucket[GrantsRecord] = bus.bucket(buckets.GRANTS.name, GrantsRecord)
        self._groups: Bucket[GroupRecord] = bus.bucket(buckets.GROUPS.name, GroupRecord)

    async def remove(self, subject: str) -> None:
        """``subject`` as it is stored."""
        held = self._directory
        for name, space in list(held.namespaces.entries.items()):
            if subject in space.value.owners:
                await cut(self._namespaces, held.namespaces, name, lambda one: _without_owner(one, subject))
        for name, bound in list(held.bindings.entries.items()):
            if any(one.to == subject for one in bound.value.bindings):
                await cut(self._bindings, held.bindings, name, lambda one: _without_binding(one, subject))
        for key, granted in list(held.grants.entries.items()):
            if any(one.to == subject for one in granted.value.grants):
                await cut(self._grants, held.grants, key, lambda one: _without_grant(one, subject))
        kind, _, uid = subject.partition(":")
        if kind == "user":
            for name, group in list(held.groups.entries.items()):
                if uid in group.value.members:
                    await cut(self._groups, held.groups, name, lambda one: _without_member(one, uid))


def _without_owner(record: NamespaceRecord, subject: str) -> NamespaceRecord:
    left = tuple(one for one in record.owners if one != subject)
    return replace(record, owners=left, told=Told("updated", about=subject))


def _without_binding(record: BindingsRecord, subject: str) -> BindingsRecord | None:
    left = tuple(one for one in record.bindings if one.to != subject)
    return replace(record, bindings=left, told=Told("deleted", about=subject)) if left else None


def _without_grant(record: GrantsRecord, subject: str) -> GrantsRecord | None:
    left = tuple(one for one in record.grants if one.to != subject)
    return replace(record, grants=left, told=Told("deleted", about=subject)) if left else None


def _without_member(record: GroupRecord, uid: str) -> GroupRecord:
    left = tuple(one for one in record.members if one != uid)
    return replace(record, members=left, told=Told("updated", about=f"user:{uid}"))
