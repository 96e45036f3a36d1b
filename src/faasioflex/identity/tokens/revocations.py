"""Making tokens void before they expire, and forgetting that when they have expired by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.identity.tokens.mint import ACCESS_S
from faasioflex.identity.tokens.verifier import LEEWAY_S
from faasioflex.model.errors import Conflict
from faasioflex.model.identity import Revocation

LONGEST_LOGIN_S = 24 * 3600.0  # a login's own tokens live longer than ours: Dex's a day unless told otherwise
ATTEMPTS = 8


class Revocations:
    """Every part sees them within a second by its directory."""

    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self._bucket: Bucket[Revocation] = bus.bucket(buckets.REVOKED.name, Revocation)
        self._clock = clock

    async def revoke_jti(self, jti: str, expires_at: float) -> None:
        """One token. ``expires_at``: its own."""
        if expires_at + LEEWAY_S > self._clock():
            await self._bucket.put(f"jti.{jti}", Revocation(None, expires_at + LEEWAY_S))

    async def cut_off(self, uid: str) -> float:
        """Every token of ``uid`` that was issued until now, whoever signed it. Returns the time, which is a whole second."""
        before = math.floor(self._clock()) + 1.0  # tokens tell their time in whole seconds
        key = f"sub.{uid}"
        for _ in range(ATTEMPTS):
            entry = await self._bucket.get(key)
            held = entry.value.before or 0.0 if entry is not None else 0.0
            made = Revocation(max(before, held), max(before, held) + max(ACCESS_S, LONGEST_LOGIN_S))
            try:
                if entry is None:
                    await self._bucket.create(key, made)
                else:
                    await self._bucket.update(key, made, entry.revision)
            except Conflict:
                continue
            return max(before, held)
        raise Conflict("The tokens of this account are being revoked all the time: call again")

    async def cut(self, uid: str) -> float:
        """Tokens of ``uid`` from before this time are void; 0.0 where none are."""
        entry = await self._bucket.get(f"sub.{uid}")
        return entry.value.before or 0.0 if entry is not None else 0.0

    async def is_void(self, uid: str, jti: str, issued_at: float) -> bool:
        return issued_at < await self.cut(uid) or await self._bucket.get(f"jti.{jti}") is not None

    async def prune(self) -> int:
        """Remove what is over; how many."""
        now = self._clock()
        removed = 0
        for entry in await self._bucket.list():
            if entry.value.until < now:
                try:
                    await self._bucket.delete(entry.key, entry.revision)
                    removed += 1
                except Conflict:
                    continue  # somebody revoked again
        return removed
