"""Refresh tokens: each is used once and gives the next; one that comes a second time ends all of its login."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.principal import USER_PREFIX
from faasioflex.identity.tokens.grants import OAuthError
from faasioflex.identity.tokens.mint import Minted
from faasioflex.identity.tokens.revocations import Revocations
from faasioflex.model.errors import Conflict
from faasioflex.model.identity import RefreshFamily

FAMILY_S = 90 * 86_400.0  # then people log in again, however often they refreshed
IDLE_S = buckets.REFRESH.ttl_s or FAMILY_S
MOST_LOGINS = 50  # of one person at once; the one that was refreshed longest ago ends for another
_TOKEN = re.compile(r"r-([0-9a-f]{24})([0-9a-f]{32})\.([A-Za-z0-9_-]{43})", re.ASCII)


class RefreshTokens:
    """What is stored tells no token."""

    def __init__(self, bus: Bus, revocations: Revocations) -> None:
        self._families: Bucket[RefreshFamily] = bus.bucket(buckets.REFRESH.name, RefreshFamily)
        self._revocations = revocations

    async def begin(
        self,
        uid: str,
        client_id: str,
        now: float,
        *,
        scope: str = "",
        access: Minted | None = None,
        said: Mapping[str, str] | None = None,
    ) -> str:
        """The first refresh token of a login. ``access``: what was given along, which ends with the login."""
        await self._make_room(uid)
        key, secret = f"{uid}.{secrets.token_hex(16)}", secrets.token_urlsafe(32)
        held = ((access.jti, access.expires_at),) if access is not None else ()
        record = RefreshFamily(
            uid, client_id, _digest(secret), scope, now, now, now + FAMILY_S, held, dict(said) if said else {}
        )
        await self._families.create(key, record)
        return _written(key, secret)

    async def holding(self, token: str, client_id: str, now: float) -> Entry[RefreshFamily]:
        """The login of a token that may be used now. Raises: OAuthError; a used one ends its login."""
        key, secret = _read(token)
        entry = await self._families.get(key) if key else None
        if entry is None:
            raise _over()
        family = entry.value
        if not hmac.compare_digest(family.client_id, client_id):
            raise OAuthError("invalid_grant", "The refresh token is of another client")
        if not hmac.compare_digest(family.digest, _digest(secret)):
            await self.end(entry)
            raise OAuthError(
                "invalid_grant", "The refresh token was used before, so somebody may have taken it: log in again"
            )
        cut = await self._revocations.cut(family.uid)
        if now >= min(family.expires_at, family.issued_at + IDLE_S) or family.issued_at < cut:
            await self.end(entry)
            raise _over()
        return entry

    async def turn(self, entry: Entry[RefreshFamily], now: float, access: Minted | None) -> str:
        """The next refresh token. Raises: OAuthError where another request was faster with the same one."""
        secret = secrets.token_urlsafe(32)
        held = tuple((jti, ends) for jti, ends in entry.value.access if ends > now)
        if access is not None:
            held += ((access.jti, access.expires_at),)
        turned = replace(entry.value, digest=_digest(secret), issued_at=now, access=held)
        try:
            await self._families.update(entry.key, turned, entry.revision)
        except Conflict:
            if access is not None:
                await self._revocations.revoke_jti(access.jti, access.expires_at)
            raise OAuthError(
                "invalid_grant", "The refresh token is being used by somebody else this moment: use the newest one"
            ) from None
        return _written(entry.key, secret)

    async def end(self, entry: Entry[RefreshFamily]) -> None:
        """The login, with the access tokens that came of it, also of a refresh that happens meanwhile."""
        found: Entry[RefreshFamily] | None = entry
        while found is not None:
            try:
                await self._families.delete(found.key, found.revision)
            except Conflict:
                found = await self._families.get(found.key)
                continue
            for jti, expires_at in found.value.access:
                await self._revocations.revoke_jti(jti, expires_at)
            return

    async def end_of_token(self, token: str, client_id: str) -> bool:
        """As :meth:`end`, of a token that its client gives back, used or not; False where it is no refresh token."""
        key, _ = _read(token)
        if not key:
            return False
        entry = await self._families.get(key)
        if entry is not None and hmac.compare_digest(entry.value.client_id, client_id):
            await self.end(entry)
        return True

    async def end_all(self, uid: str) -> None:
        """Every login of a person. Those that begin this moment are met by a cut-off, which comes first."""
        for entry in await self._families.list(f"{uid}."):
            await self.end(entry)

    async def _make_room(self, uid: str) -> None:
        held = sorted(await self._families.list(f"{uid}."), key=lambda entry: entry.value.issued_at)
        for entry in held[: max(0, len(held) - MOST_LOGINS + 1)]:
            await self.end(entry)


def _written(key: str, secret: str) -> str:
    """As clients get it: nothing in it but letters, digits and ``-_.``."""
    uid, _, family = key.partition(".")
    return f"r-{uid.removeprefix(USER_PREFIX)}{family}.{secret}"


def _read(token: str) -> tuple[str, str]:
    """The login's key and the secret; empty where it is no refresh token."""
    match = _TOKEN.fullmatch(token)
    return (f"{USER_PREFIX}{match[1]}.{match[2]}", match[3]) if match else ("", "")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _over() -> OAuthError:
    return OAuthError("invalid_grant", "The refresh token does not hold, or not any more: log in again")
