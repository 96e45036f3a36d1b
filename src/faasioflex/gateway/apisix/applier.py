"""Makes what stands at APISIX what is wanted: what differs is written, what is left over removed, what is not ours left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from faasioflex.gateway.apisix.admin import AdminApi
from faasioflex.gateway.apisix.drift import bare, same
from faasioflex.gateway.apisix.objects import KINDS, Json, Kind, Objects

log = structlog.get_logger(__name__)
AT_ONCE = 8  # requests under way
Key = tuple[Kind, str]
Result = TypeVar("Result")


class Applier:
    """Remembers what it wrote and what was stored, so that a change costs what it changes; a look at everything finds drift.

    Not for calls at the same time.
    """

    def __init__(self, admin: AdminApi, linger_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._admin = admin
        self._linger_s = linger_s
        self._clock = clock
        self._there: dict[Key, Json] | None = None  # as stored; None: not known
        self._wrote: dict[Key, tuple[Json, Json]] = {}  # what was wanted, and what was stored of it
        self._left_at: dict[Key, float] = {}

    async def bring(self, objects: Objects, *, look: bool = False) -> int:
        """``look``: at everything that is there first. Returns how many objects were written.

        Raises: Unavailable, Invalid; what is there is not known then, and is looked at the next time.
        """
        try:
            if look or self._there is None:
                self._there = await self._look()
            written = await self._write(objects)
            await self._remove(objects)
            return written
        except BaseException:
            self._there = None
            raise

    async def _look(self) -> dict[Key, Json]:
        there: dict[Key, Json] = {}
        for kind in KINDS:
            for identifier, stored in (await self._admin.list(kind)).items():
                there[kind, identifier] = stored
        for key in list(self._wrote):
            stored_now = there.get(key)
            if stored_now is None or bare(stored_now) != bare(self._wrote[key][1]):
                del self._wrote[key]
        return there

    async def _write(self, objects: Objects) -> int:
        written = 0
        for kind in KINDS:  # each kind is whole before the next, which may name it
            wanted = [(identifier, made) for identifier, made in objects.of(kind).items()]
            stale = [each for each in wanted if not self._stands((kind, each[0]), each[1])]
            await _together([self._put(kind, *one) for one in stale])
            written += len(stale)
        return written

    def _stands(self, key: Key, made: Json) -> bool:
        assert self._there is not None  # noqa: S101 - looked at before
        if key not in self._there:
            return False
        wrote = self._wrote.get(key)
        if wrote is not None:
            return wrote[0] is made or wrote[0] == made
        return same(made, self._there[key])

    async def _put(self, kind: Kind, identifier: str, made: Json) -> None:
        stored = await self._admin.put(kind, identifier, made)
        assert self._there is not None  # noqa: S101
        self._there[kind, identifier] = stored
        self._wrote[kind, identifier] = made, stored

    async def _remove(self, objects: Objects) -> None:
        """Routes at once; what routes named a while later: workers of APISIX follow, each at its own pace."""
        assert self._there is not None  # noqa: S101
        now = self._clock()
        surplus = [key for key in self._there if key[1] not in objects.of(key[0])]
        self._left_at = {key: self._left_at.get(key, now) for key in surplus}
        for kind in reversed(KINDS):
            due = [
                key
                for key in surplus
                if key[0] == kind and (kind == "routes" or now - self._left_at[key] >= self._linger_s)
            ]
            gone = await _together([self._admin.delete(*key) for key in due])
            for key, is_gone in zip(due, gone, strict=True):
                if not is_gone:
                    log.warning("an object is still in use", kind=key[0], id=key[1])
                    continue
                del self._there[key], self._left_at[key]
                self._wrote.pop(key, None)


async def _together(works: list[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Results in order; the first failure is raised when all have ended."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(work: Coroutine[Any, Any, Result]) -> Result:
        async with at_once:
            return await work

    results = await asyncio.gather(*(one(work) for work in works), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
