"""People, groups, namespaces, bindings, grants and quotas in requests and answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from faasioflex.api.resource.limits import Strict
from faasioflex.api.resource.shapes import Shape, Time
from faasioflex.api.resource.times import rfc3339
from faasioflex.identity.subjects import LONGEST_TO, WHAT, Shown
from faasioflex.model.identity import GrantVerb, GroupRecord, NamespaceRecord, Role, UserRecord

Email = Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]
PersonName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
About = Annotated[str, Field(max_length=1000)]
To = Annotated[str, Field(max_length=LONGEST_TO, description=WHAT)]
MOST_BYTES = 1 << 50


class UserNew(Strict):
    email: Email
    name: PersonName = ""
    role: Role = "developer"
    password: Password | None = Field(None, description="Without one the person is invited, and chooses it")


class UserPut(Strict):
    """What is left out stays."""

    name: PersonName | None = None
    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None


class GroupPut(Strict):
    members: list[Annotated[str, Field(max_length=254)]] = Field(
        default_factory=list, max_length=10_000, description="E-mails or ids"
    )
    claims: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=100, description="Whoever's login says one of these groups is a member too"
    )
    description: About = ""


class NamespacePut(Strict):
    owners: list[To] = Field(min_length=1, max_length=100, description="user:EMAIL, user:ID or group:NAME")
    description: About = ""


class BindingPut(Strict):
    role: Role


class GrantPut(Strict):
    verbs: list[GrantVerb] = Field(min_length=1, max_length=4)


class QuotaPut(Strict):
    """null: no bound."""

    functions: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    instances: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    memory_bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)] | None = None
    calls_per_minute: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    storage_bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)] | None = None


class UserOut(Shape):
    id: str
    email: str
    name: str
    role: Role
    namespace: str
    groups: list[str]
    disabled: bool
    issuer: str
    created_at: Time
    last_login_at: Time | None


class InvitedOut(Shape):
    """Of who has no account yet, and so no id."""

    email: str
    name: str
    role: Role
    invitation_url: str = Field(description="Where they make their account; shown this once")


class GroupOut(Shape):
    name: str
    members: list[str] = Field(description="E-mails, or ids of those without one")
    claims: list[str]
    description: str
    created_at: Time
    created_by: str


class NamespaceOut(Shape):
    name: str
    owners: list[str]
    personal: bool
    description: str
    created_at: Time
    created_by: str


class BindingOut(Shape):
    to: str
    id: str
    role: Role


class GrantOut(Shape):
    to: str
    id: str
    verbs: list[GrantVerb]


class QuotaOut(Shape):
    functions: int | None
    instances: int | None
    memory_bytes: int | None
    calls_per_minute: int | None
    storage_bytes: int | None
    used: dict[str, int]


def page_of(item: type[Shape]) -> dict[int | str, Any]:
    """A list's answer, for a route's ``responses``."""
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": item.model_json_schema()},
            "next": {"type": ["string", "null"]},
        },
        "required": ["items", "next"],
    }
    return {200: {"description": "A page", "content": {"application/json": {"schema": schema}}}}


def user_document(user: UserRecord, groups: frozenset[str]) -> dict[str, Any]:
    return {
        "id": user.uid,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "namespace": user.namespace,
        "groups": sorted(groups),
        "disabled": user.disabled,
        "issuer": user.issuer,
        "created_at": rfc3339(user.created_at),
        "last_login_at": rfc3339(user.last_login_at) if user.last_login_at is not None else None,
    }


def group_document(group: GroupRecord, members: list[str]) -> dict[str, Any]:
    return {
        "name": group.name,
        "members": members,
        "claims": list(group.claims),
        "description": group.description,
        "created_at": rfc3339(group.created_at),
        "created_by": group.created_by,
    }


def namespace_document(space: NamespaceRecord, owners: list[Shown]) -> dict[str, Any]:
    return {
        "name": space.name,
        "owners": [owner.to for owner in owners],
        "personal": space.personal,
        "description": space.description,
        "created_at": rfc3339(space.created_at),
        "created_by": space.created_by,
    }
