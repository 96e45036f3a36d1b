"""Groups of people: those that are listed, and those whose login says that they are in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.mentions import Mentions
from faasioflex.identity.principal import Principal
from faasioflex.identity.write import change, cut
from faasioflex.model.errors import NotFound
from faasioflex.model.identity import GroupRecord, Told


class Groups:
    def __init__(self, bus: Bus, directory: Directory, mentions: Mentions) -> None:
        self._bucket: Bucket[GroupRecord] = bus.bucket(buckets.GROUPS.name, GroupRecord)
        self._directory = directory
        self._mentions = mentions

    def get(self, name: str) -> GroupRecord:
        """Raises: NotFound."""
        entry = self._directory.groups.entries.get(name)
        if entry is None:
            raise NotFound(f"There is no group {name} that you may see")
        return entry.value

    async def put(
        self, name: str, members: Sequence[str], claims: Sequence[str], description: str, *, by: Principal, now: float
    ) -> tuple[GroupRecord, bool]:
        """``members``: uids. The record, and whether it is new."""
        wanted = GroupRecord(
            name, tuple(sorted(set(members))), tuple(sorted(set(claims))), description, now, by.display
        )
        told = Told("created", by.acting)

        def make(entry: Entry[GroupRecord] | None) -> GroupRecord:
            if entry is None:
                return replace(wanted, told=told)
            held = entry.value
            return replace(
                wanted, created_at=held.created_at, created_by=held.created_by, told=replace(told, change="updated")
            )

        return await change(self._bucket, self._directory.groups, name, make)

    async def delete(self, name: str) -> None:
        """With everything that was given to it. Raises: NotFound."""
        self.get(name)
        await self._mentions.remove(f"group:{name}")
        await cut(self._bucket, self._directory.groups, name)
