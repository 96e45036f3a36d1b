"""All spares of a launcher: who gets one, and how many there are."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from pathlib import Path

from faasioflex.model.errors import FfxError
from faasioflex.model.instance import InstanceSpec
from faasioflex.runtime.isolation import Order
from faasioflex.runtime.language import Language
from faasioflex.runtime.launcher import order as orders
from faasioflex.runtime.launcher.folders import Folders
from faasioflex.runtime.launcher.instance_log import InstanceLog
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.launcher.pool import shape as shapes
from faasioflex.runtime.launcher.pool import sizing
from faasioflex.runtime.launcher.pool.shape import Shape
from faasioflex.runtime.launcher.pool.sizing import Demand
from faasioflex.runtime.launcher.pool.spare import Spare, can_be_told
from faasioflex.runtime.launcher.vessel import Vessel
from faasioflex.runtime.sandbox.entrance import PLACES
from faasioflex.runtime.sandbox.sandbox import Sandboxes

UNKNOWN_BYTES = 32 * 1024 * 1024  # of a spare whose like was not seen yet
QUIET_S = 0.05  # after the last start: who waits for an instance has the machine for itself
LONGEST_WAIT_S = 1.0  # for quiet, on a machine that is never so
LOOK_S = 30.0
PATIENCE_S = 0.5  # on a machine without idle time a spare takes its share after so long, and is warm at last
LONGEST_WARMING_S = 30.0
FAILED_S = 10.0  # a shape whose spare ended by itself rests so long


class Pool:
    """``memory_bytes``: all spares together take no more."""

    def __init__(self, sandboxes: Sandboxes, data: Path, sockets: Path, folders: Folders, memory_bytes: int) -> None:
        self._sandboxes = sandboxes
        self._data = data
        self._sockets = sockets
        self._folders = folders
        self._memory_bytes = memory_bytes
        self._demand: dict[Shape, Demand] = {}
        self._each_bytes: dict[Shape, int] = {}
        self._spares: list[Spare] = []
        self._resting: dict[Shape, float] = {}
        self._counts: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()  # by language
        self._misses: Counter[str] = Counter()
        self._used: dict[str, str] = {}
        self._quiet_at = 0.0
        self._stir = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for one in shapes.usual(relayed=self._sandboxes.relayed):
            self._demand[one] = Demand(usual=True)
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for spare in self._spares:
            self._discard(spare)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def take(self, spec: InstanceSpec, kind: Language, made: Order) -> Spare | None:
        """One that has become ``made``'s, or None where a sandbox has to be started: there is none, or none would do."""
        loop = asyncio.get_running_loop()
        self._quiet_at = loop.time() + QUIET_S
        wanted = shapes.of(spec, kind, relayed=self._sandboxes.relayed)
        if wanted is None or not can_be_told(made) or not self._lets_in(made):
            self._counts["unsuitable"] += 1
            return None
        self._demand.setdefault(wanted, Demand()).note(loop.time())
        self._stir.set()
        while (spare := self._best(wanted)) is not None:
            self._spares.remove(spare)
            try:
                spare.vessel.give(spec.files)
                spare.become(made)
                spare.vessel.rename(spec.id)  # last: a sandbox that is started instead takes these names
            except (OSError, ValueError, FfxError) as error:
                log.warning("a spare sandbox was of no use", extra={"spare": spare.id, "error": str(error)})
                self._discard(spare)
                continue
            self._hits[wanted.language] += 1
            self._used[spec.id] = spare.id
            spare.ended.add_done_callback(lambda _: self._used.pop(spec.id, None))
            return spare
        self._misses[wanted.language] += 1
        return None

    def figures(self) -> dict[str, object]:
        """For metrics: spares there, how many of them are warm, what they take, and how often one was there when asked for.

        ``used``: instance -> the id of the sandbox that it is in, by which its processes and its control group are named.
        """
        return {
            "spares": Counter(spare.shape.language for spare in self._spares),
            "warm": Counter(spare.shape.language for spare in self._spares if spare.warm),
            "memory_bytes": sum(self._bytes(spare.shape) for spare in self._spares),
            "memory_limit_bytes": self._memory_bytes,
            "used": dict(self._used),
            "hits": self._hits.total(),
            "misses": self._misses.total(),
            "hits_of": self._hits,
            "misses_of": self._misses,
            **{name: self._counts[name] for name in ("unsuitable", "started")},
        }

    def _lets_in(self, made: Order) -> bool:
        return self._sandboxes.entrance.fits([item for item in made.shown if item.target in PLACES])

    def _best(self, wanted: Shape) -> Spare | None:
        """A warm one; else one that will be sooner than one that is started now."""
        fitting = [spare for spare in self._spares if spare.shape == wanted and not spare.ended.done()]
        return max(fitting, key=lambda spare: spare.warm, default=None)

    async def _keep(self) -> None:
        while True:
            try:
                await self._wait_for_quiet()
                again = await self._step()
            except Exception:
                log.exception("the pool could not be kept")
                again = False
            if not again:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._stir.wait()
                except TimeoutError:
                    pass
            self._stir.clear()

    async def _wait_for_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        longest = loop.time() + LONGEST_WAIT_S
        while (rest_s := min(longest, self._quiet_at) - loop.time()) > 0:  # noqa: ASYNC110 - it grows with each start
            await asyncio.sleep(rest_s)

    async def _step(self) -> bool:
        """Start one that lacks, or end those that are too many. Whether there is more to do."""
        now = asyncio.get_running_loop().time()
        self._resting = {shape: until for shape, until in self._resting.items() if until > now}
        for shape in [shape for shape, demand in self._demand.items() if not demand.wanted(now)]:
            del self._demand[shape]
        wanted = {shape: demand.wanted(now) for shape, demand in self._demand.items()}
        order = sorted(wanted, key=lambda shape: self._demand[shape].last(), reverse=True)
        targets = sizing.targets(wanted, {shape: self._bytes(shape) for shape in wanted}, self._memory_bytes, order)
        there = Counter(spare.shape for spare in self._spares)
        for shape in sizing.surplus(targets, there):
            spare = next(one for one in self._spares if one.shape == shape)
            self._spares.remove(spare)
            self._discard(spare)
        able = {shape: count for shape, count in targets.items() if shape not in self._resting}
        chosen = sizing.next_to_start(able, there)
        if chosen is None:
            return False
        await self._add(chosen)
        return True

    def _bytes(self, shape: Shape) -> int:
        return self._each_bytes.get(shape, UNKNOWN_BYTES)

    async def _add(self, shape: Shape) -> None:
        """Start one, and wait until it is warm: one at a time."""
        try:
            spare = self._make(shape)
            if spare is None:
                self._rest(shape)
                return
            await spare.begin()
        except (OSError, ValueError, FfxError) as error:
            log.warning("a spare sandbox cannot be started", extra={"language": shape.language, "error": str(error)})
            self._rest(shape)
            return
        self._counts["started"] += 1
        self._spares.append(spare)
        settled = asyncio.Event()
        spare.on_settled = settled.set
        spare.ended.add_done_callback(lambda _: settled.set())
        spare.ended.add_done_callback(lambda _: self._ended(spare))
        if not spare.warm:
            await self._warmed(spare, settled)
        if spare.warm:
            self._each_bytes[shape] = max(spare.memory_bytes, self._each_bytes.get(shape, 0))

    async def _warmed(self, spare: Spare, settled: asyncio.Event) -> None:
        for wait_s in (PATIENCE_S, LONGEST_WARMING_S):
            try:
                await asyncio.wait_for(settled.wait(), wait_s)
            except TimeoutError:
                spare.box.hurry()
            else:
                return
        if not spare.used:
            log.warning("a spare sandbox does not get warm", extra={"spare": spare.id})
            spare.box.kill()

    def _make(self, shape: Shape) -> Spare | None:
        """None where its language is not there: nobody has deployed anything in it."""
        identifier = f"p-{secrets.token_hex(8)}"
        if not orders.has_toolchain(shape.language):
            return None
        folder = self._folders.make(identifier)
        try:
            rooms = self._sandboxes.entrance.rooms(identifier)
            made = orders.of_spare(identifier, shape, self._data, folder.path, rooms, relayed=self._sandboxes.relayed)
            spare: Spare | None = None
            box = self._sandboxes.box(made, lambda denial: spare.on_denial(denial) if spare is not None else None)
        except BaseException:
            folder.remove()
            self._sandboxes.entrance.leave(identifier)
            raise
        vessel = Vessel(box, self._sockets / f"{identifier}.sock", folder, InstanceLog(None))
        spare = Spare(identifier, shape, box, vessel, self._sandboxes.entrance)
        return spare

    def _ended(self, spare: Spare) -> None:
        """One that was nobody's yet ended by itself."""
        if spare.used:
            return
        said = " / ".join(spare.vessel.log.last_lines)
        log.warning("a spare sandbox ended", extra={"spare": spare.id, "language": spare.shape.language, "said": said})
        if spare in self._spares:
            self._spares.remove(spare)
        self._rest(spare.shape)
        self._discard(spare)

    def _rest(self, shape: Shape) -> None:
        loop = asyncio.get_running_loop()
        self._resting[shape] = loop.time() + FAILED_S
        loop.call_later(FAILED_S + 0.1, self._stir.set)

    def _discard(self, spare: Spare) -> None:
        task = asyncio.create_task(spare.discard())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
