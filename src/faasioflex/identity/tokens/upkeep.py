"""What the control process does for tokens all the time: keys turned and published, what is over removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.identity.tokens.keys import SigningKeys, write_jwks
from faasioflex.identity.tokens.long_lived import LONGEST_S
from faasioflex.identity.tokens.revocations import Revocations
from faasioflex.identity.tokens.verifier import LEEWAY_S
from faasioflex.model.errors import Conflict, FfxError, Unavailable
from faasioflex.model.identity import TokenRecord, TokenUse

DAY_S = 86_400.0
LOOK_AGAIN_S = 2.0
PRUNE_EVERY_S = 60.0
SHOWN_AFTER_END_S = 7 * DAY_S  # an ended token is still listed, so that people see why it does not work
log = structlog.get_logger(__name__)


class Upkeep:
    """``jwks_path``: the public keys, for the gateway. ``rotate_after_s`` None: keys are turned by hand only."""

    def __init__(
        self,
        bus: Bus,
        keys: SigningKeys,
        *,
        jwks_path: Path,
        rotate_after_s: float | None,
        clock: Callable[[], float],
        look_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._keys = keys
        self._jwks_path = jwks_path
        self._rotate_after_s = rotate_after_s
        self._clock = clock
        self._look_s = look_s
        self._revocations = Revocations(bus, clock)
        self._tokens: Bucket[TokenRecord] = bus.bucket(buckets.TOKENS.name, TokenRecord)
        self._uses: Bucket[TokenUse] = bus.bucket(buckets.TOKEN_USE.name, TokenUse)
        self._published: list[str] = []
        self._pruned_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """There is a key, and the gateway can read it, when it returns. Raises: Unavailable."""
        await asyncio.to_thread(self._keys.ensure)
        self._publish()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="upkeep of tokens")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except FfxError as error:
                log.warning("tokens are not looked after now", error=error.message)
            await asyncio.sleep(self._look_s)

    async def _look(self) -> None:
        now = self._clock()
        if self._rotate_after_s is not None and now - self._keys.newest_since() >= self._rotate_after_s:
            kid = await asyncio.to_thread(self._keys.rotate, LONGEST_S + LEEWAY_S)
            log.info("a new key signs tokens soon", kid=kid)
        self._publish()
        if now - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now
            await self._revocations.prune()
            await self.prune_tokens()

    def _publish(self) -> None:
        kids = [str(key["kid"]) for key in self._keys.jwks()["keys"]]
        if kids == self._published and self._jwks_path.exists():
            return
        try:
            write_jwks(self._keys, self._jwks_path)
        except OSError as error:
            raise Unavailable(f"{self._jwks_path} cannot be written: {error.strerror}") from error
        self._published = kids

    async def prune_tokens(self) -> None:
        """Records of tokens that ended a week ago, and uses of tokens that are gone."""
        now = self._clock()
        left = set()
        for entry in await self._tokens.list():
            if entry.value.expires_at + SHOWN_AFTER_END_S >= now:
                left.add(entry.key)
                continue
            try:
                await self._tokens.delete(entry.key, entry.revision)
            except Conflict:
                continue  # renamed this moment: next time
        for use in await self._uses.list():
            if use.key not in left and use.value.last_used_at + PRUNE_EVERY_S < now:
                await self._uses.delete(use.key)
