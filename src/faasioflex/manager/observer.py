"""What the driver tells and what is seen there: events as they come, and a look at everything from time to time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from faasioflex.manager.journal import Journal
from faasioflex.manager.lifecycle import Lifecycle
from faasioflex.manager.reconciler import Reconciler
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.model.errors import Unavailable
from faasioflex.model.instance import Instance, InstanceEnded, InstanceEvent, InstanceReady
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
RESYNC_S = 10.0
AWAY_RETRY_S = 0.2
FRESH_S = 5.0  # the driver may not list yet what was ordered that lately


class Observer:
    """Keeps the manager's instances the same as the driver's."""

    def __init__(
        self,
        driver: RuntimeDriver,
        reconciler: Reconciler,
        lifecycle: Lifecycle,
        journal: Journal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver = driver
        self._reconciler = reconciler
        self._lifecycle = lifecycle
        self._journal = journal
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[bool] | None = None
        self.away: str | None = "the launcher was not reached yet"

    async def start(self) -> None:
        """Adopt what runs already; waits for the driver."""
        self._tasks = [asyncio.create_task(self._pump())]
        while not await self.resync():  # noqa: ASYNC110 - the driver has no event for «back again»
            await asyncio.sleep(AWAY_RETRY_S)
        self._tasks.append(asyncio.create_task(self._resync_for_ever()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def resync(self) -> bool:
        """Look at all instances now (one look for all who ask meanwhile). False while the driver is away."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> bool:
        began = self._clock()
        try:
            seen = {one.id: one for one in await self._driver.observe()}
        except Unavailable as error:
            self.away = error.message
            return False
        self.away = None
        tracked: set[str] = set()
        for state in list(self._reconciler.states.values()):
            for one in list(state.instances.values()):
                tracked.add(one.id)
                if (
                    one.id in seen
                    or one.instance is None
                    or (one.started_at > began - FRESH_S and one.ready_at is None)
                ):
                    if one.id in seen and seen[one.id].state == "ready" and one.ready_at is None:
                        self._lifecycle.ready(state, one.id)
                    continue
                self._lifecycle.ended(state, _lost(state, one))
        for instance in seen.values():
            if instance.id not in tracked:
                self._adopt(instance)
        return True

    def _adopt(self, instance: Instance) -> None:
        state = self._reconciler.states.get(instance.function.key)
        wanted = state is not None and state.record.uid == instance.function_uid
        if state is None or not wanted or instance.revision not in state.revisions or instance.state == "stopping":
            log.info("orphan ended", instance=instance.id, function=str(instance.function))
            self._lifecycle.end_orphan(instance.id)
            return
        one = TrackedInstance(instance.id, instance.revision, instance.started_at, instance)
        state.instances[one.id] = one
        if instance.wake:
            state.revisions[one.revision].woken_at = instance.started_at
        if instance.state == "ready":
            one.ready_at = instance.started_at
            self._lifecycle.ready(state, one.id)
        self._reconciler.touch(state.name.key)

    async def _resync_for_ever(self) -> None:
        while True:
            await asyncio.sleep(AWAY_RETRY_S if self.away else RESYNC_S)
            await self.resync()

    async def _pump(self) -> None:
        while True:
            try:
                async with self._driver.events() as events:
                    async for event in events:
                        self._on_event(event)
            except Unavailable as error:
                self.away = error.message
                await asyncio.sleep(AWAY_RETRY_S)

    def _on_event(self, event: InstanceEvent) -> None:
        match event:
            case InstanceReady(id=instance):
                for state in self._reconciler.states.values():
                    if instance in state.instances:
                        self._lifecycle.ready(state, instance)
                        break
            case InstanceEnded():
                ended_state = self._reconciler.states.get(event.function.key)
                if ended_state is not None and ended_state.record.uid == event.function_uid:
                    self._lifecycle.ended(ended_state, event)
            case tuple():
                self._journal.lines(event)


def _lost(state: FunctionState, one: TrackedInstance) -> InstanceEnded:
    detail = "ended together with its launcher"
    return InstanceEnded(
        one.id, state.name, state.record.uid, one.revision, "lost", detail, was_ready=one.ready_at is not None
    )
