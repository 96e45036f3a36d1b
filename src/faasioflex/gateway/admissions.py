"""Who may call which function directly, kept in memory: a change of the directory costs the functions that it touches."""

from __future__ import annotations

from collections.abc import Callable

from faasioflex.identity.access import Access
from faasioflex.identity.directory import Directory
from faasioflex.model.identity import UserRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

_Standing = tuple[object, ...]


class Admissions:
    """``changed`` is called when an answer of :meth:`of` may have become another one."""

    def __init__(self, directory: Directory, changed: Callable[[], None]) -> None:
        self._directory = directory
        self._changed = changed
        self._known: dict[str, tuple[str, str, Access]] = {}  # key -> visibility, uid of the registration, access
        self._people: dict[str, _Standing] = {}
        directory.grants.listen(self._forget)
        directory.users.listen(self._look_at_people)
        for mirror in (directory.groups, directory.namespaces, directory.bindings, directory.tokens):
            mirror.listen(lambda _: self._forget_all())
        directory.revoked.listen(lambda _: self._changed())

    def of(self, name: FunctionName, route: FunctionRoute) -> Access:
        """For ``table.build``."""
        known = self._known.get(name.key)
        if known is not None and known[:2] == (route.visibility, route.function_uid):
            return known[2]
        access = self._directory.access(name, route.visibility, route.function_uid)
        self._known[name.key] = (route.visibility, route.function_uid, access)
        return access

    def keep(self, keys: set[str]) -> None:
        """Forget functions that are none of ``keys``."""
        for key in self._known.keys() - keys:
            del self._known[key]

    def _forget(self, keys: set[str]) -> None:
        for key in keys:
            self._known.pop(key, None)
        self._changed()

    def _forget_all(self) -> None:
        self._known.clear()
        self._changed()

    def _look_at_people(self, uids: set[str]) -> None:
        """A login writes the person's record; most change nothing about what they may do."""
        before = {uid: self._people.get(uid) for uid in uids}
        for uid in uids:
            entry = self._directory.users.entries.get(uid)
            if entry is None:
                self._people.pop(uid, None)
            else:
                self._people[uid] = _standing(entry.value)
        if any(before[uid] != self._people.get(uid) for uid in uids):
            self._forget_all()


def _standing(user: UserRecord) -> _Standing:
    return user.role, user.disabled, user.claimed_groups, user.email
