"""A lease: of several members one at a time does what only one may. It lives in a bucket, and ends by itself with its holder."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from uuid import uuid4

import structlog

from faasioflex.bus.port import Bucket
from faasioflex.model.errors import Conflict, FfxError
from faasioflex.model.queue import LeaseRecord

log = structlog.get_logger(__name__)


class Lease:
    """``member`` takes a lease of its own back at once: it was killed, and what it ran died with it.

    ``ttl_s``: so long after its last renewal it ends. ``clock``: seconds, monotonic.
    """

    def __init__(
        self,
        bucket: Bucket[LeaseRecord],
        name: str,
        member: str,
        *,
        ttl_s: float = 10.0,
        renew_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._name = name
        self._ttl_s = ttl_s
        self._renew_s = renew_s
        self._clock = clock
        self._record = LeaseRecord(member, uuid4().hex, time.time())
        self._revision: int | None = None
        self._renewed_at = 0.0

    @property
    def sure(self) -> bool:
        """Whether nobody else can have it now."""
        return self._revision is not None and self._clock() < self._renewed_at + self._ttl_s

    async def acquire(self) -> None:
        """Return when it is ours; waits for whoever has it, and for the bus, as long as it takes."""
        while True:
            if await self._try():
                return
            await asyncio.sleep(self._renew_s)

    async def keep(self, renewed: Callable[[], None] | None = None) -> None:
        """Renew it; returns when somebody else has it. While the bus is away nobody can take it, so it is kept."""
        while True:
            await asyncio.sleep(self._renew_s)
            if not await self._renew():
                self._revision = None
                return
            if renewed is not None:
                renewed()

    async def release(self) -> None:
        """Let others have it at once."""
        revision, self._revision = self._revision, None
        if revision is not None:
            with contextlib.suppress(FfxError):
                await self._bucket.delete(self._name, revision)

    async def _try(self) -> bool:
        """Take it where nobody has it, or a member of our name."""
        begun = self._clock()
        try:
            entry = await self._bucket.get(self._name)
            if entry is None:
                self._revision = await self._bucket.create(self._name, self._record, ttl_s=self._ttl_s)
            elif entry.value.member == self._record.member:
                self._revision = await self._bucket.update(self._name, self._record, entry.revision, ttl_s=self._ttl_s)
            else:
                return False
        except FfxError as error:
            if not isinstance(error, Conflict):
                log.info("a lease cannot be asked for now", lease=self._name, reason=error.message)
            return False
        self._renewed_at = begun
        return True

    async def _renew(self) -> bool:
        """False: it is somebody else's."""
        begun = self._clock()
        try:
            entry = await self._bucket.get(self._name)
            if entry is None:  # it ended while the bus was away, and nobody has taken it
                self._revision = await self._bucket.create(self._name, self._record, ttl_s=self._ttl_s)
            elif entry.value.incarnation == self._record.incarnation:
                self._revision = await self._bucket.update(self._name, self._record, entry.revision, ttl_s=self._ttl_s)
            else:
                return False
        except Conflict:
            return True  # the next look tells whose it is
        except FfxError as error:
            log.info("a lease cannot be renewed now", lease=self._name, reason=error.message)
            return True
        self._renewed_at = begun
        return True
