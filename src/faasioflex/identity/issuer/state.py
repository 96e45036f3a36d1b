"""What is remembered for a while under a secret that somebody else holds. Stored is a hash of the secret."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.model.errors import Conflict
from faasioflex.model.login import LoginState


class States:
    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self._bucket: Bucket[LoginState] = bus.bucket(buckets.LOGIN_STATE.name, LoginState)
        self._clock = clock

    async def keep(self, kind: str, said: Mapping[str, str], lives_s: float, secret: str | None = None) -> str:
        """The secret to hand out."""
        secret = secret or secrets.token_urlsafe(32)
        await self._bucket.create(key(kind, secret), LoginState(dict(said), self._clock() + lives_s))
        return secret

    async def find(self, kind: str, secret: str) -> Entry[LoginState] | None:
        """None where there is none, or not any more."""
        entry = await self._bucket.get(key(kind, secret)) if 0 < len(secret) <= 200 else None
        return entry if entry is not None and entry.value.expires_at > self._clock() else None

    async def take(self, kind: str, secret: str) -> dict[str, str] | None:
        """For the one who comes first; None for all others."""
        entry = await self.find(kind, secret)
        return entry.value.said if entry is not None and await self.end(entry) else None

    async def end(self, entry: Entry[LoginState]) -> bool:
        """False where somebody else was faster."""
        try:
            await self._bucket.delete(entry.key, entry.revision)
        except Conflict:
            return False
        return True

    async def change(self, entry: Entry[LoginState], said: Mapping[str, str]) -> bool:
        try:
            await self._bucket.update(entry.key, LoginState(dict(said), entry.value.expires_at), entry.revision)
        except Conflict:
            return False
        return True

    async def forget(self, kind: str, secret: str) -> None:
        await self._bucket.delete(key(kind, secret))

    async def end_of(self, subject: str) -> None:
        """All of an account: its sessions, codes and links."""
        for entry in await self._bucket.list():
            if entry.value.said.get("subject") == subject:
                await self.end(entry)


def key(kind: str, secret: str) -> str:
    return f"{kind}.{hashlib.sha256(secret.encode()).hexdigest()}"
