"""What people, groups, services and functions may do to one function."""

from __future__ import annotations

from collections.abc import Sequence

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.write import change, cut
from faasioflex.model.errors import Invalid, NotFound
from faasioflex.model.identity import GRANT_VERBS, Grant, GrantsRecord, GrantVerb, Told
from faasioflex.model.names import FunctionName

MOST_GRANTS = 10_000


class Grants:
    """``uid``: of the function's registration; what was granted on one of that name before is void."""

    def __init__(self, bus: Bus, directory: Directory) -> None:
        self._bucket: Bucket[GrantsRecord] = bus.bucket(buckets.GRANTS.name, GrantsRecord)
        self._directory = directory

    def of(self, function: FunctionName, uid: str) -> tuple[Grant, ...]:
        return self._directory.grants_of(function, uid)

    async def put(self, function: FunctionName, uid: str, to: str, verbs: Sequence[GrantVerb], *, by: str) -> bool:
        """``to`` as it is stored; ``by``: uid. Whether it is new. Raises: Invalid (too many)."""
        ordered = tuple(verb for verb in GRANT_VERBS if verb in verbs)
        new = False

        def make(entry: Entry[GrantsRecord] | None) -> GrantsRecord:
            nonlocal new
            held = _held(entry, uid)
            others = tuple(one for one in held if one.to != to)
            new = len(others) == len(held)
            if len(others) >= MOST_GRANTS:
                raise Invalid(f"{function} has {MOST_GRANTS} grants: use groups")
            told = Told("created" if new else "updated", by, to)
            return GrantsRecord(uid, tuple(sorted((*others, Grant(to, ordered)), key=lambda one: one.to)), told)

        await change(self._bucket, self._directory.grants, function.key, make)
        return new

    async def delete(self, function: FunctionName, uid: str, to: str, *, by: str) -> None:
        """Raises: NotFound."""
        if all(one.to != to for one in self.of(function, uid)):
            raise NotFound(f"{function} has no grant to {to}")

        def make(record: GrantsRecord) -> GrantsRecord:
            left = tuple(one for one in record.grants if one.to != to) if record.function_uid == uid else ()
            return GrantsRecord(uid, left, Told("deleted", by, to))  # also an empty one: it says who did it

        await cut(self._bucket, self._directory.grants, function.key, make)


def _held(entry: Entry[GrantsRecord] | None, uid: str) -> tuple[Grant, ...]:
    return entry.value.grants if entry is not None and entry.value.function_uid == uid else ()
