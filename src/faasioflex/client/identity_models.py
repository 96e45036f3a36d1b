"""People, groups, namespaces, grants, tokens, secrets and quotas, as the platform answers. ``raw`` is the whole document."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Listed(Generic[T]):
    """One page; ``next`` is the cursor of the following one, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True)
class Scope:
    """What a token may be used for; None: for all that its owner may."""

    namespaces: tuple[str, ...] | None = None
    functions: tuple[str, ...] | None = None
    verbs: tuple[str, ...] | None = None


@dataclass(frozen=True)
class NatsAccess:
    """Where to connect with the token, and the inbox prefix that is the caller's."""

    url: str
    inbox_prefix: str


@dataclass(frozen=True)
class Whoami:
    """``kind`` is user, service or function; ``user`` is what functions are told as X-Ffx-User."""

    kind: str
    id: str
    user: str = ""
    email: str | None = None
    name: str | None = None
    namespace: str | None = None
    role: str | None = None
    groups: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scope: Scope | None = None
    expires_at: datetime | None = None
    nats: NatsAccess | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class User:
    """``id``: empty of who is invited and has no account yet."""

    email: str
    id: str = ""
    name: str = ""
    role: str = ""
    namespace: str | None = None
    groups: tuple[str, ...] = ()
    disabled: bool = False
    issuer: str = ""
    created_at: datetime | None = None
    last_login_at: datetime | None = None
    invitation_url: str | None = field(default=None, repr=False)  # once, of who was invited
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Group:
    """``claims``: groups of the login whose members belong to it."""

    name: str
    members: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    description: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Namespace:
    name: str
    owners: tuple[str, ...] = ()
    personal: bool = False
    description: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Binding:
    to: str
    role: str
    id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Grant:
    to: str
    verbs: tuple[str, ...]
    id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class TokenInfo:
    """A personal or service token. ``token`` is its value, in the answer to its making only."""

    id: str
    kind: str
    name: str
    owner: str | None = None
    namespace: str | None = None
    scope: Scope | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    token: str | None = field(default=None, repr=False)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Secret:
    """What is known of one; its value never comes back."""

    name: str
    version: int = 1
    size_bytes: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Usage:
    functions: int | None = None
    instances: int | None = None
    memory_bytes: int | None = None
    calls_per_minute: float | None = None
    storage_bytes: int | None = None


@dataclass(frozen=True)
class Quota:
    """None: no bound."""

    functions: int | None = None
    instances: int | None = None
    memory_bytes: int | None = None
    calls_per_minute: int | None = None
    storage_bytes: int | None = None
    used: Usage | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
