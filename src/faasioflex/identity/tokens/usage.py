"""When a personal or service token was used last: whoever takes one reports it, the control process writes it down.

At most once a minute for a token, so that a call costs a look into a dictionary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from faasioflex.bus import buckets
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bucket, Bus
from faasioflex.identity.directory import Directory
from faasioflex.identity.principal import PERSONAL_PREFIX, SERVICE_PREFIX
from faasioflex.model.errors import FfxError, Invalid
from faasioflex.model.identity import TokenUse
from faasioflex.model.messages import USED_SUBJECT, TokensUsed

EVERY_S = 60.0
GATHER_S = 0.5
MOST_REMEMBERED = 20_000
log = structlog.get_logger(__name__)


def is_long_lived(pid: str) -> bool:
    """Whether a principal's ``pid`` is a personal or service token's."""
    return pid.startswith((PERSONAL_PREFIX, SERVICE_PREFIX))


class UseReporter:
    """In every process that takes tokens, inside its event loop. ``record_use`` never waits."""

    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._clock = clock
        self._told: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def record_use(self, token_id: str) -> None:
        """Of any principal's pid; those of no token are not looked at."""
        if not is_long_lived(token_id):
            return
        now = self._clock()
        if now - self._told.get(token_id, float("-inf")) < EVERY_S:
            return
        if len(self._told) >= MOST_REMEMBERED:
            self._told.clear()
        self._told[token_id] = now
        self._waiting.add(token_id)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell(), name="report uses of tokens")

    async def _tell(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            told, self._waiting = self._waiting, set()
            try:
                await self._bus.publish(USED_SUBJECT, encode(TokensUsed(tuple(sorted(told)))))
            except FfxError as error:
                self._waiting |= told
                log.debug("uses of tokens are told later", error=error.message)


class UseRecorder:
    """In the control process: the one writer of ``ffx_token_use``."""

    def __init__(self, bus: Bus, directory: Directory, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._bucket: Bucket[TokenUse] = bus.bucket(buckets.TOKEN_USE.name, TokenUse)
        self._directory = directory
        self._clock = clock
        self._written: dict[str, float] = {}
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        if self._unsubscribe is None:
            self._unsubscribe = await self._bus.subscribe(USED_SUBJECT, self._hear)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
            self._unsubscribe = None

    async def _hear(self, _subject: str, data: bytes) -> None:
        try:
            await self._write(decode(TokensUsed, data).tokens)
        except Invalid:
            return  # of no part of ours
        except FfxError as error:
            log.warning("uses of tokens were not written down", error=error.message)

    async def _write(self, tokens: Iterable[str]) -> None:
        now = self._clock()
        for token_id in tokens:
            known = token_id in self._directory.tokens.entries
            if not known or now - self._written.get(token_id, float("-inf")) < EVERY_S:
                continue
            self._written[token_id] = now
            await self._bucket.put(token_id, TokenUse(now))
            if token_id not in self._directory.tokens.entries:  # revoked meanwhile
                await self._bucket.delete(token_id)
        self._written = {one: at for one, at in self._written.items() if one in self._directory.tokens.entries}
