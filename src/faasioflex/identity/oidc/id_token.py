"""An OpenID Connect ID token, verified: signature, algorithm, type, issuer, audience, times. Pure; the keys come in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from faasioflex.identity.port import Identity
from faasioflex.model.errors import NotAuthenticated, TokenExpired

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY_S = 30.0  # the login's clock is another machine's
LONGEST_TOKEN = 16 * 1024
MOST_GROUPS = 200
LONGEST_TEXT = 256
_TYPES = frozenset({None, "jwt"})
_REFUSED = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"})  # a key or a meaning of its own


@dataclass(frozen=True)
class Expected:
    """Whose tokens, for whom, and where in them the groups stand."""

    issuer: str
    audiences: frozenset[str]
    groups_claim: str = "groups"


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, to know whose it says it is. Nothing of it is believed. Raises: NotAuthenticated."""
    try:
        if len(token) > LONGEST_TOKEN or not token.isascii() or token.count(".") != 2:
            raise ValueError
        found = jws.extract_compact(token.encode("ascii"))
        header, payload = found.headers(), json.loads(found.payload)
        if not isinstance(header, dict) or not isinstance(payload, dict):
            raise ValueError
    except (JoseError, ValueError, RecursionError):
        raise NotAuthenticated("This is no ID token: it must be a signed JWT") from None
    return header, payload


def key_wanted(token: str) -> str | None:
    """The ``kid`` of its header. Raises: NotAuthenticated where no key could make it hold."""
    header, _ = unverified(token)
    _check_header(header)
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise NotAuthenticated("The ID token's key has no name")
    return kid


def identity_of(token: str, keys: KeySet, expected: Expected, now: float) -> Identity:
    """Raises: NotAuthenticated, TokenExpired."""
    header, _ = unverified(token)
    _check_header(header)
    registry = jws.JWSRegistry(algorithms=list(ALGORITHMS))
    registry.max_payload_length = LONGEST_TOKEN
    try:
        said = jwt.decode(token, keys, algorithms=list(ALGORITHMS), registry=registry).claims
    except (JoseError, ValueError, TypeError) as error:
        raise NotAuthenticated("The ID token's signature does not hold") from error
    if said.get("iss") != expected.issuer:
        raise NotAuthenticated("The ID token is of another issuer")
    audience = _audience(said, expected.audiences)
    issued_at, expires_at = _times(said, now)
    subject = said.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_TEXT:
        raise NotAuthenticated("The ID token does not say who it is of")
    return Identity(
        issuer=expected.issuer,
        subject=subject,
        email=_text(said, "email"),
        email_verified=said.get("email_verified") in (True, "true"),
        name=_text(said, "name") or _text(said, "preferred_username"),
        groups=groups_in(said, expected.groups_claim),
        audience=audience,
        expires_at=expires_at,
        issued_at=issued_at,
    )


def groups_in(said: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """Of the claim of that name, or of a path with dots (``realm_access.roles``); a single text is one group."""
    found: Any = said.get(claim)
    if found is None:
        found = said
        for piece in claim.split("."):
            found = found.get(piece) if isinstance(found, Mapping) else None
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    named = {one for one in listed if isinstance(one, str) and 0 < len(one) <= LONGEST_TEXT}
    return tuple(sorted(named))[:MOST_GROUPS]


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") not in ALGORITHMS:
        raise NotAuthenticated("The ID token is signed in a way that is not taken here")
    kind = header.get("typ")
    if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
        raise NotAuthenticated("This is no ID token, but a token of another type")
    if not _REFUSED.isdisjoint(header):
        raise NotAuthenticated("The ID token's header says more than is taken here")


def _audience(said: Mapping[str, Any], ours: frozenset[str]) -> str:
    """OpenID Connect Core, 3.1.3.7: one of ours; where there are several, it is also ours that asked for it (azp)."""
    given = said.get("aud")
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise NotAuthenticated("The ID token does not say whom it is for")
    found: str | None = next((one for one in listed if one in ours), None)
    party = said.get("azp", found if len(listed) == 1 else None)
    if found is None or not isinstance(party, str) or party not in ours:
        raise NotAuthenticated("The ID token is for another client")
    return found


def _times(said: Mapping[str, Any], now: float) -> tuple[float, float]:
    """When it was issued, and until when it holds."""
    issued_at, expires_at = _number(said, "iat"), _number(said, "exp")
    if issued_at is None or expires_at is None or ("nbf" in said and _number(said, "nbf") is None):
        raise NotAuthenticated("The ID token does not say when it holds: it needs iat and exp")
    if expires_at + LEEWAY_S <= now:
        raise TokenExpired("The ID token has expired: log in again")
    if issued_at - LEEWAY_S > now or (_number(said, "nbf") or 0.0) - LEEWAY_S > now:
        raise NotAuthenticated("The ID token is not valid yet")
    return issued_at, expires_at


def _number(said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value[:LONGEST_TEXT] if isinstance(value, str) and value.isprintable() else ""
