"""The autoscaler: reports in, one decision a second for what is awake, desired scale out (it alone writes ``ffx_scale``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from faasioflex.autoscaler.decide import Policy, decide
from faasioflex.autoscaler.watched import Watched
from faasioflex.bus.buckets import FUNCTIONS, ROUTES, SCALE
from faasioflex.bus.codec import decode
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError
from faasioflex.model.function import FunctionRecord
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale

log = structlog.get_logger(__name__)
EVERY_S = 1.0
BLIND_AFTER_S = 3.0
SHORTEST_S = 0.05  # between two rounds that were asked for


class Autoscaler:
    """``members``: who must report, or nothing is scaled down."""

    def __init__(
        self,
        bus: Bus,
        *,
        members: tuple[str, ...] = ("gateway.local", "invoker.local"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._members = members
        self._clock = clock
        self._functions: Mirror[FunctionRecord] = Mirror(bus.bucket(FUNCTIONS.name, FunctionRecord))
        self._routes: Mirror[FunctionRoute] = Mirror(bus.bucket(ROUTES.name, FunctionRoute))
        self._scale: Mirror[DesiredScale] = Mirror(bus.bucket(SCALE.name, DesiredScale))
        self._scale_bucket = bus.bucket(SCALE.name, DesiredScale)
        self._watched: dict[str, dict[int, Watched]] = {}  # of functions that are awake, by revision
        self._awake: set[str] = set()  # functions with endpoints or with desired instances
        self._named: dict[str, set[tuple[str, int]]] = {}
        self._heard_at: dict[str, float] = {}
        self._requests_done: dict[str, float] = {}
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._undo: list[Callable[[], Awaitable[None]]] = []

    @property
    def problem(self) -> str | None:
        return None if self._task else "starting"

    async def start(self) -> None:
        for mirror in (self._functions, self._routes, self._scale):
            await mirror.start()
        self._routes.listen(self._on_routes)
        self._functions.listen(self._on_functions)
        self._on_routes(set(self._routes.entries))
        for key, entry in self._scale.entries.items():
            self._requests_done[key] = entry.value.decided_at
        self._on_functions(set(self._functions.entries))
        self._undo.append(await self._bus.subscribe(LOAD_SUBJECT, self._on_load))
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        for undo in self._undo:
            await undo()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for mirror in (self._functions, self._routes, self._scale):
            await mirror.stop()

    def _on_routes(self, keys: set[str]) -> None:
        for key in keys:
            entry = self._routes.entries.get(key)
            if entry is None:
                self._rest(key)
            elif any(route.live for route in entry.value.revisions.values()):
                self._awake.add(key)

    def _on_functions(self, keys: set[str]) -> None:
        """A scale request is carried out at once."""
        for key in keys:
            entry = self._functions.entries.get(key)
            if entry is None:
                self._requests_done.pop(key, None)
            elif entry.value.scale is not None and entry.value.scale.at > self._requests_done.get(key, 0.0):
                self._awake.add(key)
                self._now.set()

    async def _on_load(self, _subject: str, data: bytes) -> None:
        report = decode(LoadReport, data)
        now = self._clock()
        self._heard_at[report.member] = now
        named: set[tuple[str, int]] = set()
        for load in report.loads:
            key = FunctionName(load.namespace, load.name).key
            if key not in self._functions.entries:
                continue  # deleted since, or not known yet: the next report names it again
            named.add((key, load.revision))
            watched = self._watched.setdefault(key, {}).setdefault(load.revision, Watched(now))
            if watched.report(report.member, load, now):
                self._now.set()
            self._awake.add(key)
        for function, number in self._named.get(report.member, set()) - named:
            if (one := self._watched.get(function, {}).get(number)) is not None:
                one.silent(report.member)
        self._named[report.member] = named

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._now.wait(), EVERY_S)
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(SHORTEST_S)
            self._now.clear()
            for key in list(self._awake):
                try:
                    await self._decide(key)
                except FfxError as error:
                    log.info("decision postponed", function=key, reason=error.message)
                except Exception:
                    log.exception("decision failed", function=key)

    async def _decide(self, key: str) -> None:
        record, route = self._functions.entries.get(key), self._routes.entries.get(key)
        if record is None or route is None or route.value.function_uid != record.value.uid:
            if record is None:
                self._rest(key)
            return
        now = self._clock()
        blind = any(now - self._heard_at.get(member, 0.0) > BLIND_AFTER_S for member in self._members)
        request = record.value.scale
        fresh = request is not None and request.at > self._requests_done.get(key, 0.0)
        before = self._scale.entries.get(key)
        known = before.value if before and before.value.function_uid == record.value.uid else None
        wanted: dict[int, int] = {}
        reasons: list[str] = []
        mine = self._watched.setdefault(key, {})
        for number in set(mine) - set(route.value.revisions):
            del mine[number]
        for number, revision in route.value.revisions.items():
            if not revision.live and not route.value.traffic.get(number):
                mine.pop(number, None)
                continue
            watched = mine.setdefault(number, Watched(now))
            watched.sample(now)
            if fresh and request is not None:
                wanted[number] = request.instances
                watched.forget(now if request.instances else now - record.value.spec.scaling.idle_s)
                reasons.append(f"revision {number}: {request.instances} were asked for")
                continue
            policy = Policy(record.value.spec.scaling, revision.limits.concurrency)
            decision = decide(watched.samples(now, len(revision.live), blind=blind), policy, now)
            watched.panicking_until = decision.panicking_until
            wanted[number] = decision.instances
            reasons.append(f"revision {number}: {decision.reason}")
        if known is None or known.instances != wanted or fresh:
            await self._scale_bucket.put(key, DesiredScale(record.value.uid, wanted, "; ".join(reasons), now))
            if fresh and request is not None:
                self._requests_done[key] = now
        if not any(wanted.values()) and not any(one.live for one in route.value.revisions.values()):
            self._rest(key)

    def _rest(self, key: str) -> None:
        """Nothing runs and nobody calls: it costs nothing until somebody does."""
        self._awake.discard(key)
        self._watched.pop(key, None)
