"""Looks at instances whose function may have more than it starts with, and changes their limits while they run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import structlog

from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.journal import Journal
from faasioflex.manager.room import Room
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.manager.vertical.advise import Allowed, Look, advise, grows
from faasioflex.manager.vertical.history import History
from faasioflex.model.errors import Conflict, FfxError, NotSupportedYet
from faasioflex.model.function import Limits
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
EVERY_S = 1.0


class Owner(Protocol):
    """The reconciler."""

    def limits_of(self, state: FunctionState, number: int) -> Limits: ...
    def quota_room(self, namespace: str) -> Room | None: ...


@dataclass
class _Seen:
    history: History
    told: str = ""  # why it was not given what it should have, once


class Vertical:
    """``tracked``: instance -> its function. A look costs nothing while no instance may grow."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        tracked: dict[str, FunctionState],
        *,
        owner: Owner,
        node: NodeDesk,
        journal: Journal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._driver = driver
        self._tracked = tracked
        self._owner = owner
        self._node = node
        self._journal = journal
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._cpu_is_fixed = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="vertical")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Once. Raises: Unavailable, where the driver or the bus is away."""
        growing = list(self._growing())
        self._seen = {one.id: self._seen.get(one.id) or _Seen(History()) for _, one, _ in growing}
        if not growing:
            return
        used, now = await self._driver.usage(), self._clock()
        for state, one, limits in growing:
            if one.id in used and one.id in self._tracked:
                seen = self._seen[one.id]
                seen.history.add(Look(now, *used[one.id]))
                await self._mind(state, one, limits, seen)

    def _growing(self) -> Iterator[tuple[FunctionState, TrackedInstance, Limits]]:
        for identifier, state in self._tracked.items():
            one = state.instances[identifier]
            if one.ready_at is None or one.leaving or one.frost == "frozen":
                continue
            limits = self._owner.limits_of(state, one.revision)
            if grows(limits) or one.memory_bytes > limits.memory_bytes:
                yield state, one, limits

    async def _mind(self, state: FunctionState, one: TrackedInstance, limits: Limits, seen: _Seen) -> None:
        before = Allowed(one.memory_bytes, one.cpu)
        advice = advise(seen.history.looks, before, limits)
        if advice is None:
            return
        wanted = advice.allowed
        if self._cpu_is_fixed:
            wanted = Allowed(wanted.memory_bytes, before.cpu)
        held = self._why_not(state, wanted.memory_bytes - before.memory_bytes)
        if held is not None:
            self._say_once(state, one, seen, held)
            wanted = Allowed(before.memory_bytes, wanted.cpu)
        if wanted == before:
            return
        if wanted.memory_bytes > before.memory_bytes:
            self._node.ledger.resize(one.id, wanted.memory_bytes)  # first: nobody else is to start with it meanwhile
        changed = False
        try:
            await self._driver.resize(one.id, wanted.memory_bytes, wanted.cpu)
            changed = True
        except Conflict:
            return  # it uses more meanwhile: the next look sees it
        except NotSupportedYet as error:
            self._say_once(state, one, seen, error.message)
            if wanted.cpu != before.cpu:
                self._cpu_is_fixed = True
                log.warning("CPU limits cannot be changed on this machine", reason=error.message)
            return
        finally:
            if not changed:
                self._node.ledger.resize(one.id, before.memory_bytes)
        await self._changed(state, one, before, wanted, advice.why)

    def _why_not(self, state: FunctionState, more_bytes: int) -> str | None:
        """Why it cannot have so much more memory, in words."""
        if more_bytes <= 0:
            return None
        free = self._node.unspent_bytes
        if free is not None and more_bytes > free:
            return "its memory limit is not raised: the memory for instances of this node is in use"
        quota = self._owner.quota_room(state.name.namespace)
        most = quota.quota.memory_bytes if quota is not None else None
        if quota is not None and most is not None and quota.memory_bytes + more_bytes > most:
            return f"its memory limit is not raised: the quota 'memory_bytes' of {state.name.namespace} ({most}) is used up"
        return None

    async def _changed(
        self, state: FunctionState, one: TrackedInstance, before: Allowed, now: Allowed, why: str
    ) -> None:
        one.memory_bytes, one.cpu = now.memory_bytes, now.cpu
        self._node.ledger.resize(one.id, now.memory_bytes)
        revision = state.revisions.get(one.revision)
        if revision is not None and revision.memory_bytes is not None and now.memory_bytes < before.memory_bytes:
            revision.memory_bytes = min(revision.memory_bytes, now.memory_bytes)
        self._journal.note(state, one, why)
        facts: dict[str, str | int | float | None] = {
            "instance": one.id,
            "revision": one.revision,
            "memory_bytes": now.memory_bytes,
            "from_memory_bytes": before.memory_bytes,
            "cpu": now.cpu,
            "from_cpu": before.cpu,
            "reason": why,
        }
        await publish_event(self._bus, "instance", "resized", state.name, facts)

    def _say_once(self, state: FunctionState, one: TrackedInstance, seen: _Seen, words: str) -> None:
        if seen.told != words:
            seen.told = words
            self._journal.note(state, one, words)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except FfxError as error:
                log.debug("no look at limits", reason=error.message)
            except Exception:
                log.exception("a look at limits failed")
            await asyncio.sleep(EVERY_S)
