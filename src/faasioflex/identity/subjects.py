"""Who a grant or a binding is to: as people write it, as it is stored, as it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faasioflex.identity.directory import Directory
from faasioflex.model.errors import Conflict, FfxError, FieldError, Invalid
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.names import FunctionName, is_name

LONGEST_TO = 300
WHAT = "user:EMAIL, user:ID, group:NAME, service:ID or function:NAMESPACE/NAME"


@dataclass(frozen=True)
class Shown:
    """``to`` for people (``user:EMAIL``); ``id`` as it is stored, which is taken as well."""

    to: str
    id: str


class Subjects:
    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def stored(self, to: str, kinds: Iterable[str], pointer: str = "/to") -> str:
        """Read what a request names. Raises: Invalid, Conflict (an e-mail that several people have)."""
        kind, colon, name = to.partition(":")
        if not colon or not name or len(to) > LONGEST_TO or kind not in kinds:
            raise self._invalid(pointer, f"Must be one of {WHAT}")
        match kind:
            case "user":
                return f"user:{self.uid(name, pointer)}"
            case "group" if name in self._directory.groups.entries:
                return to
            case "group":
                raise self._invalid(pointer, f"There is no group {name!a}: make it with 'ffx group set'")
            case "service":
                entry = self._directory.tokens.entries.get(name)
                if entry is None or entry.value.kind != "service":
                    raise self._invalid(pointer, f"There is no service {name!a}: 'ffx token list' shows ids")
                return to
            case _:
                return f"function:{self._function(name, pointer)}"

    def uid(self, user: str, pointer: str = "/user") -> str:
        """Of an id or an e-mail. Raises: Invalid, Conflict."""
        found = self.find(user)
        if found is None:
            raise self._invalid(pointer, f"There is nobody {user!a}: 'ffx user list' shows people")
        return found

    def find(self, user: str) -> str | None:
        """Of an id or an e-mail; None where there is nobody. Raises: Conflict (several have that e-mail)."""
        users = self._directory.users.entries
        if user in users:
            return user
        wanted = user.casefold()
        found = [uid for uid, entry in users.items() if entry.value.email and entry.value.email.casefold() == wanted]
        if len(found) > 1:
            raise Conflict(f"Several people have the e-mail {user}: name one by id, {' or '.join(sorted(found))}")
        return found[0] if found else None

    def show(self, stored: str) -> Shown:
        kind, _, name = stored.partition(":")
        entry = self._directory.users.entries.get(name) if kind == "user" else None
        if entry is not None and entry.value.email and name != LOCAL_ADMIN:
            return Shown(f"user:{entry.value.email}", stored)
        return Shown(stored, stored)

    def _function(self, name: str, pointer: str) -> FunctionName:
        namespace, slash, rest = name.partition("/")
        if not (slash and is_name(namespace) and is_name(rest)):
            raise self._invalid(pointer, "A function is named function:NAMESPACE/NAME")
        return FunctionName(namespace, rest)

    @staticmethod
    def _invalid(pointer: str, message: str) -> FfxError:
        return Invalid(message, errors=(FieldError(pointer, message),))
