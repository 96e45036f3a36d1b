"""Our tokens, verified: signature, type, issuer, audience, times, and that every claim is there and of its type."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE, Claims
from faasioflex.identity.tokens.keys import ALGORITHM, SigningKeys
from faasioflex.model.errors import NotAuthenticated, TokenExpired
from faasioflex.model.identity import TokenKind

LEEWAY_S = 5.0
LONGEST_TOKEN = 8 * 1024
MOST_REMEMBERED = 20_000
_HEADER = frozenset({"alg", "typ", "kid"})  # jwk, jku, x5u, x5c, crit and all others are refused
Foreign = Callable[[str, str], Claims | None]
"""``(token, issuer)``: of a login's own token; None where the issuer is not the login's. Raises as ``verify``."""


class Verifier:
    """``issuers``: the platform's, now and before. ``foreign`` takes a login's own tokens where the platform does."""

    def __init__(
        self,
        keys: SigningKeys,
        issuers: Callable[[], frozenset[str]],
        *,
        foreign: Foreign | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuers = issuers
        self._foreign = foreign
        self._clock = clock
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM])
        self._registry.max_payload_length = LONGEST_TOKEN
        self._known: OrderedDict[bytes, tuple[Claims, str]] = OrderedDict()  # with the key's name, "" of a login's

    def verify(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN:
            raise NotAuthenticated("The token is too long to be one of this platform")
        if not token.isascii():
            raise NotAuthenticated("This is not a token: it must be a signed JWT")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        now = self._clock()
        if known is None:
            claims, kid = known = self._verify(token, now)
            self._known[digest] = known
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        else:
            claims, kid = known
            self._known.move_to_end(digest)
        if kid and (claims.issuer not in self._issuers() or self._keys.public(kid) is None):
            self._known.pop(digest, None)
            raise NotAuthenticated("The token is of an issuer or a key that does not hold any more")
        if now >= claims.expires_at + LEEWAY_S:
            self._known.pop(digest, None)
            raise TokenExpired("The token has expired: log in again, or make a new one")
        return claims

    def _verify(self, token: str, now: float) -> tuple[Claims, str]:
        header, payload = _unverified(token)
        issuer = payload.get("iss")
        if not isinstance(issuer, str):
            raise NotAuthenticated("The token names no issuer")
        if issuer not in self._issuers():
            claims = self._foreign(token, issuer) if self._foreign is not None else None
            if claims is None:
                raise NotAuthenticated("The token is of another issuer")
            return claims, ""
        if header.get("typ") != TOKEN_TYPE:
            raise NotAuthenticated("This is no access token: exchange it at the platform's token endpoint first")
        if not header.keys() <= _HEADER or header.get("alg") != ALGORITHM:
            raise NotAuthenticated("The token's header is not one of this platform")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise NotAuthenticated("The token names no key")
        return _claims(self._signed(token, kid), now), kid

    def _signed(self, token: str, kid: str) -> dict[str, Any]:
        key: RSAKey | None = self._keys.public(kid)
        if key is None:
            raise NotAuthenticated("The token is signed with a key that is none of this platform, or is not any more")
        try:
            return jwt.decode(token, key, algorithms=[ALGORITHM], registry=self._registry).claims
        except (JoseError, ValueError) as error:
            raise NotAuthenticated("The token's signature does not hold") from error


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, to know which keys to ask for. Nothing of it is believed."""
    try:
        if token.count(".") != 2:
            raise ValueError
        found = jws.extract_compact(token.encode("ascii"))
        header, payload = found.headers(), json.loads(found.payload)
    except (JoseError, ValueError, RecursionError):
        raise NotAuthenticated("This is not a token: it must be a signed JWT") from None
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise NotAuthenticated("This is not a token: it must be a signed JWT")
    return header, payload


class _Payload(BaseModel):
    """Every claim that the platform's tokens have, of its type; others are not looked at."""

    model_config = ConfigDict(strict=True, extra="ignore")

    iss: str
    sub: str = Field(min_length=1)
    aud: str
    exp: float
    iat: float
    nbf: float
    jti: str = Field(min_length=1)
    pid: str = Field(min_length=1)
    kind: TokenKind
    email: str = ""
    name: str = ""
    groups: list[str] = []
    function_uid: str = ""


def _claims(payload: dict[str, Any], now: float) -> Claims:
    try:
        said = _Payload.model_validate(payload)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]}))
        raise NotAuthenticated(f"The token lacks claims, or has them of another type: {wrong}") from None
    if said.aud != AUDIENCE:
        raise NotAuthenticated("The token is for another audience")
    if said.exp + LEEWAY_S <= now:
        raise TokenExpired("The token has expired: log in again, or make a new one")
    if said.nbf - LEEWAY_S > now or said.iat - LEEWAY_S > now:
        raise NotAuthenticated("The token is not valid yet")
    return Claims(
        source="platform",
        issuer=said.iss,
        subject=said.sub,
        pid=said.pid,
        jti=said.jti,
        issued_at=said.iat,
        expires_at=said.exp,
        kind=said.kind,
        email=said.email,
        name=said.name,
        groups=tuple(said.groups),
        function_uid=said.function_uid,
    )
