"""Who may be connected, and with which rights: the directory and the functions, as copies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from faasioflex.bus import buckets
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.identity.badge import Badge
from faasioflex.identity.claims import Claims
from faasioflex.identity.directory import Directory
from faasioflex.identity.nats.rights import Rights, rights_of, sees
from faasioflex.identity.principal import FUNCTION_PREFIX, Principal
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.function import FunctionRecord


class Known:
    """``clock``: epoch seconds. ``start`` the directory too."""

    def __init__(self, bus: Bus, directory: Directory, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._functions: Mirror[FunctionRecord] = Mirror(bus.bucket(buckets.FUNCTIONS.name, FunctionRecord))
        self._functions.listen(self._changed)
        self._clock = clock
        self._open: set[str] = set()
        self._sorted: list[str] | None = None
        self._closed_at: dict[str, float] = {}  # functions that were open and are private now

    @property
    def problem(self) -> str | None:
        return self._functions.problem or self._directory.problem

    async def start(self) -> None:
        await asyncio.gather(self._functions.start(), self._directory.start())

    async def stop(self) -> None:
        await asyncio.gather(self._functions.stop(), self._directory.stop())

    def listen(self, callback: Callable[[], None]) -> None:
        """Call after each change of anything."""
        self._functions.listen(lambda _: callback())
        self._directory.listen(callback)

    async def principal(self, claims: Claims, now: float) -> Principal:
        """Raises: NotAuthenticated; Unavailable where what was made a moment ago cannot be asked for."""
        try:
            return self.now(claims, now)
        except NotAuthenticated:
            if claims.kind == "function":
                await self._functions.catch_up(claims.subject.removeprefix(FUNCTION_PREFIX))
            else:
                await self._directory.learn(claims.pid)
        return self.now(claims, now)

    def now(self, claims: Claims, now: float) -> Principal:
        """As the copies have it. Raises: NotAuthenticated."""
        principal = self._directory.principal(claims, now)
        if principal.kind == "function":
            entry = self._functions.entries.get(principal.uid.removeprefix(FUNCTION_PREFIX))
            if entry is None or entry.value.uid != principal.function_uid:
                raise NotAuthenticated("The function that this token was made for is gone")
        return principal

    def rights(self, principal: Principal) -> Rights:
        if self._sorted is None:
            self._sorted = sorted(self._open)
        return rights_of(principal, self._directory, self._functions.entries, self._sorted)

    def may_stay(self, badge: Badge, since: float, now: float, *, all_of_it: bool) -> bool:
        """Whether a connection made at ``since`` with ``badge`` may do just what its principal may do now.

        A function that is open to others besides does not end it; one that is not any more does. ``all_of_it``: what was open
        when it was made is not known, so that has to be the same as now.
        """
        try:
            principal = self.now(badge.claims, now)
        except NotAuthenticated:
            return False
        rights = self.rights(principal)
        own, _, opened = badge.rights.partition(".")
        if own != rights.own_digest or (all_of_it and opened != rights.open_digest):
            return False
        functions = self._functions.entries  # one that is gone tells nothing more, until there is another of its name
        closed = [key for key, at in self._closed_at.items() if at >= since and key in functions]
        return all(sees(principal, self._directory, functions, key) for key in closed)

    def _changed(self, keys: set[str]) -> None:
        for key in keys:
            entry = self._functions.entries.get(key)
            if entry is not None and entry.value.spec.visibility != "private":
                self._open.add(key)
                self._closed_at.pop(key, None)
            elif key in self._open:
                self._open.discard(key)
                self._closed_at[key] = self._clock()
        self._sorted = None
