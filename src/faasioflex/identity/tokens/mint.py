"""What the claims of each kind of token are. Pure but for the key that signs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE
from faasioflex.identity.principal import FUNCTION_PREFIX
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.model.identity import LOCAL_ADMIN, TokenKind, TokenRecord, UserRecord
from faasioflex.model.names import ADMIN_NAMESPACE, FunctionName

ACCESS_S = 15 * 60.0
FUNCTION_S = 15 * 60.0
ADMIN_FILE_S = 3600.0
LONGEST_GROUPS = 1024  # characters of ``ffx_groups``: it becomes a header of every call
LONGEST_EMAIL, LONGEST_NAME = 254, 100  # what a login says may be of any length, a token may not


@dataclass(frozen=True)
class Minted:
    """A token that was made just now. ``expires_at``: epoch seconds."""

    token: str = field(repr=False)
    jti: str
    expires_at: float


class Mint:
    """Signs as ``issuer``."""

    def __init__(self, keys: SigningKeys, issuer: str) -> None:
        self._keys = keys
        self.issuer = issuer

    def access(self, user: UserRecord, groups: Iterable[str], now: float, audience: str = AUDIENCE) -> Minted:
        """For a person who logged in. Another ``audience`` than ours makes a token that the platform does not take."""
        return self._person("access", user, user.uid, groups, now=now, expires_at=now + ACCESS_S, audience=audience)

    def admin_file(self, now: float) -> Minted:
        """Of the local admin, for the file of platform.json."""
        claims = {"role": "admin", "namespace": ADMIN_NAMESPACE, "name": "local admin"}
        return self._sign("admin-file", LOCAL_ADMIN, LOCAL_ADMIN, claims, now=now, expires_at=now + ADMIN_FILE_S)

    def function(self, name: FunctionName, function_uid: str, now: float) -> Minted:
        """As who a function calls others. ``function_uid``: of its registration; another one of that name is somebody else."""
        pid = f"{FUNCTION_PREFIX}{name.key}"
        claims = {"namespace": name.namespace, "function_uid": function_uid, "jti": function_jti(function_uid)}
        return self._sign("function", pid, pid, claims, now=now, expires_at=now + FUNCTION_S)

    def client(self, client_id: str, now: float) -> Minted:
        """Of a client that acts for itself: its own audience, so that the platform does not take it."""
        expires_at = now + ACCESS_S
        return self._sign("access", client_id, client_id, {}, now=now, expires_at=expires_at, audience=client_id)

    def personal(self, record: TokenRecord, user: UserRecord, groups: Iterable[str], now: float) -> Minted:
        return self._person("personal", user, record.token_id, groups, now=now, expires_at=record.expires_at)

    def service(self, record: TokenRecord, now: float) -> Minted:
        claims = {"namespace": record.namespace, "name": record.name}
        pid = record.token_id
        return self._sign("service", pid, pid, claims, now=now, expires_at=record.expires_at)

    def _person(
        self,
        kind: TokenKind,
        user: UserRecord,
        pid: str,
        groups: Iterable[str],
        *,
        now: float,
        expires_at: float,
        audience: str = AUDIENCE,
    ) -> Minted:
        joined = _joined(sorted(groups))
        claims = {
            "email": printable(user.email)[:LONGEST_EMAIL],
            "name": printable(user.name)[:LONGEST_NAME],
            "namespace": user.namespace,
            "role": user.role,
            "groups": joined.split(",") if joined else [],
            "ffx_groups": joined,
        }
        return self._sign(kind, user.uid, pid, claims, now=now, expires_at=expires_at, audience=audience)

    def _sign(
        self,
        kind: TokenKind,
        subject: str,
        pid: str,
        more: dict[str, Any],
        *,
        now: float,
        expires_at: float,
        audience: str = AUDIENCE,
    ) -> Minted:
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": expires_at,
            "jti": secrets.token_urlsafe(16),
            "pid": pid,
            "kind": kind,
            **more,
        }
        claims |= {name: int(claims[name]) for name in ("iat", "nbf", "exp")}
        return Minted(self._keys.sign(claims, TOKEN_TYPE), claims["jti"], float(int(expires_at)))


def function_jti(function_uid: str) -> str:
    """The id of every token of one registration of a function: all of them are revoked by it when the function is deleted."""
    return f"{FUNCTION_PREFIX}{function_uid}"


def printable(text: str) -> str:
    """What may stand in a header."""
    return "".join(one for one in text if one.isprintable())


def _joined(groups: list[str]) -> str:
    """By commas, as many as fit."""
    text = ""
    for name in groups:
        more = f"{text},{name}" if text else name
        if len(more) > LONGEST_GROUPS:
            break
        text = more
    return text
