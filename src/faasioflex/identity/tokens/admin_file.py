"""The local admin's token as a file that only the platform's user may read: the operator's way in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from faasioflex.identity.people import People
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.mint import Mint
from faasioflex.model.errors import FfxError, Unavailable

LOOK_AGAIN_S = 2.0
log = structlog.get_logger(__name__)


class AdminTokenFile:
    """Written at ``start``, and again at half of the token's life, when another key signs, and when somebody removed it."""

    def __init__(
        self,
        path: Path,
        *,
        people: People,
        keys: SigningKeys,
        mint: Mint,
        clock: Callable[[], float],
        look_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._path = path
        self._people = people
        self._keys = keys
        self._mint = mint
        self._clock = clock
        self._look_s = look_s
        self._renew_at = 0.0
        self._kid = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The file is there when it returns. Raises: Unavailable."""
        await self._people.ensure_local_admin()
        await asyncio.to_thread(self._keys.ensure)
        self._write()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="renew the admin's token")

    async def stop(self) -> None:
        """The file goes: without a platform there is nothing that takes the token."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            try:
                if self._clock() >= self._renew_at or self._keys.signing_kid() != self._kid or not self._path.exists():
                    self._write()
            except FfxError as error:
                log.error("the admin's token is not renewed now", error=error.message)

    def _write(self) -> None:
        now = self._clock()
        self._kid = self._keys.signing_kid()
        made = self._mint.admin_file(now)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.write(made.token)
            fresh.replace(self._path)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}") from error
        self._renew_at = now + (made.expires_at - now) / 2
