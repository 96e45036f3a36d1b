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
from faasioflex.model.errors import FfxError, Unavailable
from faasioflex.model.instance import EgressDenied, Instance, InstanceEnded, InstanceEvent, InstanceReady
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
RESYNC_S = 10.0
AWAY_RETRY_S = 0.2
SETTLE_S = 0.05


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
        self._early: set[str] = set()  # said to be ready during a look that may have seen them starting
        self.away: str | None = "the launcher was not reached yet"

    async def start(self) -> None:
        """Adopt what runs already; waits for the driver."""
        self._tasks = [asyncio.create_task(self._pump())]
        await self.seen_anew()
        self._tasks.append(asyncio.create_task(self._resync_for_ever()))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def resync(self) -> bool:
        """Look at all instances now (one look for all who ask meanwhile). False while the driver is away."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def seen_anew(self) -> None:
        """Return after a look, however long the driver is away."""
        while not await self.resync():  # noqa: ASYNC110 - the driver has no event for «back again»
            await asyncio.sleep(AWAY_RETRY_S)

    async def _look(self) -> bool:
        # Events come on another connection than answers: only what was known before the question can be missing in the
        # answer, and what is not known any more when it comes has ended meanwhile.
        before = dict(self._lifecycle.tracked)
        running = {key for key, state in before.items() if state.instances[key].instance is not None}
        self._early.clear()
        try:
            seen = {one.id: one for one in await self._driver.observe()}
        except FfxError as error:
            self.away = error.message
            return False
        self.away = None
        if running - seen.keys():
            await asyncio.sleep(
                SETTLE_S
            )  # an event that tells why they ended is on its way, where they ended by themselves
        for key in running - seen.keys():
            state = self._lifecycle.tracked.get(key)
            if state is not None:
                self._lifecycle.ended(state, _lost(state, state.instances[key]))
        for instance in seen.values():
            state = self._lifecycle.tracked.get(instance.id)
            if state is None:
                if instance.id not in before:
                    self._adopt(instance)
            elif instance.state == "ready" and state.instances[instance.id].ready_at is None:
                self._lifecycle.ready(state, instance.id)
        return True

    def _adopt(self, instance: Instance) -> None:
        state = self._reconciler.states.get(instance.function.key)
        if state is None or state.record.uid != instance.function_uid:
            log.info("orphan ended", instance=instance.id, function=str(instance.function))
            self._lifecycle.end_orphan(instance.id)
            return
        self._lifecycle.adopt(state, instance, ready=instance.state == "ready" or instance.id in self._early)
        self._reconciler.touch(state.name.key)

    async def _resync_for_ever(self) -> None:
        while True:
            await asyncio.sleep(AWAY_RETRY_S if self.away else RESYNC_S)
            try:
                await self.resync()
            except Exception:
                log.exception("a look at the driver failed")

    async def _pump(self) -> None:
        while True:
            try:
                async with self._driver.events() as events:
                    async for event in events:
                        self._on_event(event)
            except Unavailable as error:
                self.away = error.message
                await asyncio.sleep(AWAY_RETRY_S)
            except Exception:
                log.exception("an event of the driver was not taken in")  # the next look finds what it told
                await asyncio.sleep(AWAY_RETRY_S)

    def _on_event(self, event: InstanceEvent) -> None:
        match event:
            case InstanceReady(id=instance):
                state = self._lifecycle.tracked.get(instance)
                if state is not None:
                    self._lifecycle.ready(state, instance)
                elif self._looking is not None and not self._looking.done():
                    self._early.add(instance)
            case InstanceEnded(id=instance):
                state = self._lifecycle.tracked.get(instance)
                if state is not None:
                    self._lifecycle.ended(state, event)
            case EgressDenied():
                self._lifecycle.denied(event)
            case tuple():
                self._journal.lines(event)


def _lost(state: FunctionState, one: TrackedInstance) -> InstanceEnded:
    detail = "ended together with its launcher"
    return InstanceEnded(
        one.id, state.name, state.record.uid, one.revision, "lost", detail, was_ready=one.ready_at is not None
    )
