"""Who there is and who may do what: the records of the identity buckets. Each bucket has one writer: the API's use cases.

People are known by (issuer, subject), never by name or e-mail: ``user_id`` makes one identifier of the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["admin", "operator", "developer", "invoker", "auditor"]
GrantVerb = Literal["invoke", "read", "deploy", "admin"]
PrincipalKind = Literal["anonymous", "user", "service", "function"]
TokenKind = Literal["access", "personal", "service", "function", "admin-file"]

ROLES: tuple[Role, ...] = ("admin", "operator", "developer", "invoker", "auditor")
GRANT_VERBS: tuple[GrantVerb, ...] = ("invoke", "read", "deploy", "admin")
EMBEDDED_ISSUER = "embedded"  # in ``user_id``: of the embedded login's people, whatever address the platform has now
LOCAL_ADMIN = "u-local"  # the principal of ``admin_token_file``: whoever may read the data folder


@dataclass(frozen=True)
class Told:
    """What a write of a record was, for its event; None where the write is none that anybody is told of (a login).

    Records that differ in nothing else are equal.

    ``by``: uid, or how grants name a service. ``about``: of bindings and grants, whom, as it is stored.
    """

    change: Literal["created", "updated", "deleted"]
    by: str = ""
    about: str = ""


def user_id(issuer: str, subject: str) -> str:
    """The platform's identifier of a person: ``u-`` and 24 hex digits, the same wherever it is worked out."""
    return "u-" + hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class UserRecord:
    """Bucket ``ffx_users``, key ``uid``: made when somebody logs in for the first time, or before by an admin."""

    uid: str
    issuer: str  # of the login, "" for the local admin
    subject: str
    email: str
    name: str
    namespace: str  # of their own
    role: Role  # everywhere; "developer" is what people are unless told otherwise
    claimed_groups: tuple[str, ...]  # what the login said at the last exchange
    created_at: float  # seconds since the epoch
    updated_at: float
    last_login_at: float | None = None
    disabled: bool = False
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class GroupRecord:
    """Bucket ``ffx_groups``, key ``name``. Members: those listed, and those whose login claims one of ``claims``."""

    name: str
    members: tuple[str, ...]  # uids
    claims: tuple[str, ...]  # names of groups at the login (LDAP, GitHub teams)
    description: str
    created_at: float
    created_by: str
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class NamespaceRecord:
    """Bucket ``ffx_namespaces``, key ``name``. ``owners``: ``user:UID`` or ``group:NAME``; each is an admin of it."""

    name: str
    owners: tuple[str, ...]
    personal: bool
    description: str
    created_at: float
    created_by: str
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Binding:
    """``to``: ``user:UID`` or ``group:NAME``."""

    to: str
    role: Role


@dataclass(frozen=True)
class BindingsRecord:
    """Bucket ``ffx_bindings``, key ``namespace``."""

    namespace: str
    bindings: tuple[Binding, ...]
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Grant:
    """``to``: ``user:UID``, ``group:NAME``, ``service:ID`` or ``function:NS/NAME``."""

    to: str
    verbs: tuple[GrantVerb, ...]


@dataclass(frozen=True)
class GrantsRecord:
    """Bucket ``ffx_grants``, key ``ns.name``. Void where ``function_uid`` is not that of the function now."""

    function_uid: str
    grants: tuple[Grant, ...]
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TokenScope:
    """What a token may be used for; None: for all that its principal may."""

    namespaces: tuple[str, ...] | None = None
    functions: tuple[str, ...] | None = None  # ns/name
    verbs: tuple[GrantVerb, ...] | None = None

    @property
    def everything(self) -> bool:
        return self.namespaces is None and self.functions is None and self.verbs is None


@dataclass(frozen=True)
class TokenRecord:
    """Bucket ``ffx_tokens``, key ``token_id``: personal and service tokens. The token itself is kept nowhere.

    A personal token acts as ``owner`` within ``scope``. A service token is a principal of its own, ``service:TOKEN_ID``, which
    may do what ``scope`` says (its namespaces and verbs are always given) and what it is granted.
    """

    token_id: str  # "t-…" personal, "s-…" service; also the pid of its principal
    kind: Literal["personal", "service"]
    name: str
    owner: str  # uid of who made it
    namespace: str  # whose it is: the owner's own, or the service's
    scope: TokenScope
    created_at: float
    expires_at: float
    groups: tuple[str, ...] = ()  # what a personal token says of its owner: where that is not so any more,
    email: str = ""  # calls go by the invoker, which tells functions what is
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TokenUse:
    """Bucket ``ffx_token_use``, key ``token_id``: written at most once a minute per token."""

    last_used_at: float


@dataclass(frozen=True)
class RefreshFamily:
    """Bucket ``ffx_refresh``, key ``uid.family``: one login of one client, and the refresh token that holds now.

    A refresh token is the family's key and a secret; using one that was used before ends the family.
    """

    uid: str
    client_id: str
    digest: str  # sha256 of the secret that holds now
    scope: str
    started_at: float  # of the login
    issued_at: float  # of the refresh token that holds now
    expires_at: float  # of the family
    access: tuple[tuple[str, float], ...] = ()  # (jti, expires_at) of access tokens that still hold
    said: dict[str, str] = field(default_factory=dict)  # what a login keeps for its own clients


@dataclass(frozen=True)
class Revocation:
    """Bucket ``ffx_revoked``: key ``jti.JTI`` or ``token.TOKEN_ID`` (that token), ``sub.UID`` (issued before ``before``).

    May be removed after ``until``, when all that it is about have expired.
    """

    before: float | None
    until: float


@dataclass(frozen=True)
class Quota:
    """Bucket ``ffx_quotas``, key ``namespace``. None: no bound."""

    functions: int | None = None
    instances: int | None = None
    memory_bytes: int | None = None  # of all instances together
    calls_per_minute: int | None = None
    storage_bytes: int | None = None  # code of all kept revisions


@dataclass(frozen=True)
class SecretRecord:
    """Bucket ``ffx_secrets``, key ``ns.name``: the value, encrypted with the namespace's key ``key_id``."""

    namespace: str
    name: str
    key_id: str
    nonce: str  # base64
    ciphertext: str  # base64
    version: int
    created_at: float
    updated_at: float
    updated_by: str
    told: Told | None = field(default=None, compare=False)


@dataclass(frozen=True)
class WrappedKey:
    """A key, wrapped by the master key ``master_id``."""

    key_id: str
    master_id: str
    wrapped: str  # base64
    created_at: float


@dataclass(frozen=True)
class NamespaceKey:
    """Bucket ``ffx_keys``, key ``namespace``: what encrypts its secrets now, and those before that some may still need."""

    current: WrappedKey
    before: tuple[WrappedKey, ...] = ()
