"""Who acts, with everything that the policy needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faasioflex.model.identity import LOCAL_ADMIN, PrincipalKind, Role, TokenScope

FUNCTION_PREFIX = "f-"
SERVICE_PREFIX = "s-"
PERSONAL_PREFIX = "t-"
USER_PREFIX = "u-"
EVERYTHING = TokenScope()


@dataclass(frozen=True)
class Principal:
    """``pid`` is what the gateway's rules name: the uid of a person, the id of a personal or service token, ``f-ns.name``."""

    kind: PrincipalKind
    pid: str
    uid: str  # of the person; of others their pid
    namespace: str | None  # their own: of names without one
    role: Role | None = None  # everywhere; people only
    groups: frozenset[str] = frozenset()
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)  # namespace -> by ownership and bindings
    scope: TokenScope = EVERYTHING
    email: str = ""
    name: str = ""
    jti: str = ""  # of the token that was shown
    function_uid: str = ""  # of a function: its registration, which the token was made for

    @property
    def subjects(self) -> frozenset[str]:
        """As bindings and grants name it: ``user:UID``, ``group:NAME`` …, ``service:ID``, ``function:NS/NAME``."""
        if self.kind == "user":
            return frozenset({f"user:{self.uid}", *(f"group:{name}" for name in self.groups)})
        if self.kind == "service":
            return frozenset({f"service:{self.uid}"})
        if self.kind == "function":
            return frozenset({f"function:{self.uid.removeprefix(FUNCTION_PREFIX).replace('.', '/')}"})
        return frozenset()

    @property
    def display(self) -> str:
        """For ``created_by`` and records: the e-mail of a person, else how grants name it."""
        if self.kind == "user":
            return "admin" if self.uid == LOCAL_ADMIN else self.email or self.uid
        return next(iter(self.subjects), "anonymous")

    @property
    def acting(self) -> str:
        """For events: the uid of a person, else how grants name it."""
        return self.uid if self.kind == "user" else self.display


ANONYMOUS = Principal("anonymous", "", "", None)
