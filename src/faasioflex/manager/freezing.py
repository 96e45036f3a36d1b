"""Instances without a call for ``scaling.freeze_s`` are frozen, and thawed when one comes.

In the order of a drain, so that no call is lost: the routes lead past it, everybody applies that, what was on its way arrives;
then the driver freezes it, which it does not where anybody is connected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from faasioflex.manager.draining import passed
from faasioflex.manager.journal import Journal
from faasioflex.manager.load import Load
from faasioflex.manager.members import Members
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.model.errors import Conflict, FfxError, NotSupportedYet
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
EVERY_S = 0.5
CONNECTED_TRIES, CONNECTED_PAUSE_S = 10, 0.5  # a gateway keeps connections for a moment after the last call


class Touch(Protocol):
    """The reconciler."""

    def touch(self, key: str) -> None: ...


class Freezer:
    """``tracked``: instance -> its function."""

    def __init__(
        self,
        driver: RuntimeDriver,
        tracked: dict[str, FunctionState],
        *,
        members: Members,
        load: Load,
        looks: Touch,
        journal: Journal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver = driver
        self._tracked = tracked
        self._members = members
        self._load = load
        self._looks = looks
        self._journal = journal
        self._clock = clock
        self._cannot: str | None = None  # why nothing can be frozen here
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._spawn(self._run())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- freeze

    def look(self) -> None:
        """Mark those that have rested long enough."""
        for identifier, state in list(self._tracked.items()):
            one = state.instances[identifier]
            if self._cannot is None and self._rests(state, one):
                one.frost = "marked"
                self._looks.touch(state.name.key)
                self._spawn(self._freeze(state, one))

    def _rests(self, state: FunctionState, one: TrackedInstance) -> bool:
        freeze_s = state.record.spec.scaling.freeze_s
        if freeze_s is None or one.frost or one.leaving or one.ready_at is None or state.waiters.get(one.revision):
            return False
        revision = state.revisions.get(one.revision)
        if revision is None or revision.first_ready_at is None:
            return False
        idle_s = self._load.idle_s(state.name.key, one.revision)
        return idle_s is not None and min(idle_s, self._clock() - one.awake_since) >= freeze_s

    async def _freeze(self, state: FunctionState, one: TrackedInstance) -> None:
        marked_at = self._clock()
        try:
            await passed(state, one, self._members)
            for _ in range(CONNECTED_TRIES):
                if not self._still(state, one, marked_at):
                    return
                try:
                    await self._driver.freeze(one.id)
                except Conflict:
                    await asyncio.sleep(CONNECTED_PAUSE_S)
                    continue
                await self._frozen(state, one)
                return
        except NotSupportedYet as error:
            self._cannot = error.message
            log.warning("nothing can be frozen on this machine", reason=error.message)
            self._journal.note(state, one, f"not frozen: {error.message}")
        except FfxError as error:
            log.debug("not frozen", instance=one.id, reason=error.message)
        finally:
            if one.frost == "marked":  # somebody is connected, or it could not be done: it serves again
                self._wakes(state, one)

    def _still(self, state: FunctionState, one: TrackedInstance, marked_at: float) -> bool:
        """Whether it still is to be frozen: it may have been woken, stopped or called meanwhile."""
        if one.frost != "marked" or one.leaving or one.id not in state.instances:
            return False
        return not self._load.busy_since(state.name.key, one.revision, marked_at)

    async def _frozen(self, state: FunctionState, one: TrackedInstance) -> None:
        if one.frost == "marked":
            one.frost = "frozen"
        else:  # a call came while it was being frozen
            one.frost = "frozen"  # so that the next call thaws it if that cannot be done now
            await self._driver.thaw(one.id)
            self._wakes(state, one)

    # --- thaw

    async def thaw(self, state: FunctionState, one: TrackedInstance) -> None:
        """It takes calls when this returns; the others of its revision follow. Raises: Unavailable."""
        if one.frost == "frozen":
            await self._driver.thaw(one.id)
        self._wakes(state, one)
        for other in state.ready_of(one.revision):
            if other.frost:
                self._spawn(self._thaw_too(state, other))

    async def _thaw_too(self, state: FunctionState, one: TrackedInstance) -> None:
        try:
            await self._driver.thaw(one.id)
            self._wakes(state, one)
        except FfxError as error:
            log.info("not thawed", instance=one.id, reason=error.message)  # it stays frozen, until the next call

    def _wakes(self, state: FunctionState, one: TrackedInstance) -> None:
        one.frost = ""
        one.awake_since = self._clock()
        self._looks.touch(state.name.key)

    # --- the loop

    async def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("a look for idle instances failed")
            await asyncio.sleep(EVERY_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
