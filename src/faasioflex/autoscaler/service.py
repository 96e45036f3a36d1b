"""The autoscaler: reports in, one decision a second for what is awake, desired scale out (it alone writes ``ffx_scale``).

It keeps nothing that it could not lose: after a restart what there is stays until a whole window was seen.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from faasioflex.autoscaler.deciding import View, request_of, verdict, writes
from faasioflex.autoscaler.intake import Intake
from faasioflex.autoscaler.schedule import Scheduled, scheduled
from faasioflex.bus.buckets import FUNCTIONS, LEASES, ROUTES, SCALE
from faasioflex.bus.codec import encode
from faasioflex.bus.lease import Lease
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError
from faasioflex.model.function import FunctionRecord
from faasioflex.model.messages import SCALE_SUBJECT
from faasioflex.model.queue import LeaseRecord
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale

log = structlog.get_logger(__name__)
EVERY_S = 1.0
SHORTEST_S = 0.05  # between two rounds that were asked for
AT_A_TIME = 100  # functions, before others may use the process
WRITERS = 16


class Autoscaler:
    """``members``: who must report, or nothing is scaled down. ``member``: of several autoscalers one decides (a lease)."""

    def __init__(
        self,
        bus: Bus,
        *,
        members: tuple[str, ...] = ("gateway.local", "invoker.local"),
        clock: Callable[[], float] = time.time,
        every_s: float = EVERY_S,
        member: str = "autoscaler.local",
    ) -> None:
        self._bus = bus
        self._every_s = every_s
        self._lease = Lease(bus.bucket(LEASES.name, LeaseRecord), "autoscaler", member)
        self._clock = clock
        self._functions: Mirror[FunctionRecord] = Mirror(bus.bucket(FUNCTIONS.name, FunctionRecord))
        self._routes: Mirror[FunctionRoute] = Mirror(bus.bucket(ROUTES.name, FunctionRoute))
        self._scale: Mirror[DesiredScale] = Mirror(bus.bucket(SCALE.name, DesiredScale))
        self._scale_bucket = bus.bucket(SCALE.name, DesiredScale)
        self._intake = Intake(
            bus, functions=self._functions, routes=self._routes, members=members, clock=clock, hurry=self._hurry
        )
        self._awake: set[str] = set()  # functions with instances, calls or something to decide
        self._urgent: set[str] = set()
        self._written: dict[str, tuple[int, DesiredScale]] = {}  # until the mirror has it
        self._scheduled: dict[str, Scheduled] = {}  # of functions with a schedule
        self._look_at: list[tuple[float, str]] = []  # heap: when a schedule says something else, or a function is idle
        self.rounds = 0  # done so far
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._undo: list[Callable[[], Awaitable[None]]] = []

    @property
    def problem(self) -> str | None:
        return None if self._task else "starting"

    async def start(self) -> None:
        for mirror in (self._functions, self._routes, self._scale):
            await mirror.start()
        self._on_routes(set(self._routes.entries))
        self._on_functions(set(self._functions.entries), first=True)
        self._undo += [self._as_undo(self._routes.listen(self._on_routes))]
        self._undo += [self._as_undo(self._functions.listen(self._on_functions))]
        self._undo += await self._intake.start()
        self._task = asyncio.create_task(self._run(), name="autoscaler")

    async def stop(self) -> None:
        for undo in self._undo:
            await undo()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._lease.release()
        for mirror in (self._functions, self._routes, self._scale):
            await mirror.stop()

    @staticmethod
    def _as_undo(unlisten: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        async def undo() -> None:
            unlisten()

        return undo

    def _hurry(self, key: str, *, now: bool) -> None:
        """Look at it from the next round on, or ``now``."""
        self._awake.add(key)
        if now:
            self._urgent.add(key)
            self._now.set()

    def _on_routes(self, keys: set[str]) -> None:
        for key in keys:
            entry = self._routes.entries.get(key)
            if entry is None:
                self._rest(key)
            elif any(route.live for route in entry.value.revisions.values()):
                self._awake.add(key)

    def _on_functions(self, keys: set[str], *, first: bool = False) -> None:
        """A scale request is carried out at once, and so is what was edited."""
        for key in keys:
            entry = self._functions.entries.get(key)
            if entry is None:
                self._scheduled.pop(key, None)
                self._rest(key)
                continue
            if entry.value.spec.scaling.schedule or key in self._scheduled:
                self._reschedule(key, entry.value)
            if not first or request_of(entry.value, self._known(key, entry.value.uid)) is not None:
                self._hurry(key, now=True)

    def _reschedule(self, key: str, record: FunctionRecord) -> None:
        """What the schedule says now; the function is looked at when that changes."""
        entries = record.spec.scaling.schedule
        if not entries:
            self._scheduled.pop(key, None)
            return
        found = self._scheduled[key] = scheduled(entries, self._clock())
        if found.until is not None:
            heapq.heappush(self._look_at, (found.until, key))
        self._hurry(key, now=True)

    async def _run(self) -> None:
        while True:
            await self._lease.acquire()
            log.info("this autoscaler decides")
            keeping = asyncio.create_task(self._lease.keep())
            try:
                await self._decide_while(keeping)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            log.warning("another autoscaler decides")

    async def _decide_while(self, keeping: asyncio.Task[None]) -> None:
        """Rounds, for as long as the lease is kept."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while not keeping.done():
            try:
                async with asyncio.timeout_at(next_at):
                    await self._now.wait()
                await asyncio.sleep(min(SHORTEST_S, self._every_s))
            except TimeoutError:
                pass
            self._now.clear()
            if loop.time() >= next_at:
                next_at = loop.time() + self._every_s
                self._wake_what_is_due(self._clock())
                keys = list(self._awake)
            else:
                keys = list(self._urgent)
            self._urgent.difference_update(keys)
            if self._lease.sure:
                await self._round(keys)
            self.rounds += 1

    def _wake_what_is_due(self, now: float) -> None:
        while self._look_at and self._look_at[0][0] <= now:
            _, key = heapq.heappop(self._look_at)
            entry, known = self._functions.entries.get(key), self._scheduled.get(key)
            if entry is None:
                continue
            self._awake.add(key)
            if known is not None and known.until is not None and known.until <= now:
                self._reschedule(key, entry.value)

    async def _round(self, keys: list[str]) -> None:
        changes: list[tuple[str, list[DesiredScale]]] = []
        for count, key in enumerate(keys, 1):
            try:
                found = self._decide(key)
            except Exception:
                log.exception("decision failed", function=key)
                continue
            if found:
                changes.append((key, found))
            if count % AT_A_TIME == 0:
                await asyncio.sleep(0)
        for begin in range(0, len(changes), WRITERS):
            await asyncio.gather(*(self._write(key, found) for key, found in changes[begin : begin + WRITERS]))

    def _decide(self, key: str) -> list[DesiredScale]:
        """What to write, in order."""
        entry, route = self._functions.entries.get(key), self._routes.entries.get(key)
        if entry is None or entry.value.deleting:
            self._rest(key)
            return []
        record = entry.value
        if route is None or route.value.function_uid != record.uid:
            self._rest(key)  # its first route wakes it
            return []
        now, known = self._clock(), self._known(key, record.uid)
        view = View(
            record=record,
            route=route.value,
            known=known,
            request=request_of(record, known),
            scheduled=self._scheduled[key].instances if key in self._scheduled else 0,
            sighted_since=self._intake.sight.since(now),
            usage_lost=self._intake.sight.usage_lost(now),
            now=now,
        )
        found = verdict(view, self._intake.of(key))
        changes = writes(view, found)
        if found.rests and not changes:
            self._rest(key, has_instances=any(found.instances.values()))
        elif found.stays_until is not None and not changes:
            self._awake.discard(key)
            heapq.heappush(self._look_at, (found.stays_until, key))
        return changes

    def _known(self, key: str, uid: str) -> DesiredScale | None:
        entry, written = self._scale.entries.get(key), self._written.get(key)
        value = entry.value if entry is not None else None
        if written is not None and written[0] > self._scale.revision:
            value = written[1]
        return value if value is not None and value.function_uid == uid else None

    async def _write(self, key: str, changes: Iterable[DesiredScale]) -> None:
        try:
            for change in changes:
                self._written[key] = await self._scale_bucket.put(key, change), change
                if any(one.at == change.decided_at for one in change.decisions.values()):
                    await self._bus.publish(f"{SCALE_SUBJECT}.{key}", encode(change))
        except FfxError as error:
            log.info("decision postponed", function=key, reason=error.message)

    def _rest(self, key: str, *, has_instances: bool = False) -> None:
        """Nothing is to be decided until somebody calls or changes something: it costs nothing until then.

        Where there are instances, since when nobody calls is kept.
        """
        self._awake.discard(key)
        self._written.pop(key, None)
        if not has_instances:
            self._intake.forget(key)
