"""What the instances of this node use, told every few seconds. Costs what there are instances, not functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.state import FunctionState
from faasioflex.model.errors import FfxError
from faasioflex.model.instance import Instance
from faasioflex.model.messages import USAGE_SUBJECT, PoolUsage, RevisionUsage, UsageReport
from faasioflex.runtime.port import PoolFigures, RuntimeDriver

log = structlog.get_logger(__name__)
EVERY_S = 5.0
Used = Mapping[str, tuple[int, float]]  # instance -> memory in bytes, CPU seconds so far


@dataclass
class _Sum:
    instances: int = 0
    memory_bytes: int = 0
    cpu_s: float = 0.0
    memory_limit_bytes: int = 0
    cpu_limit: float = 0.0
    states: dict[str, int] = field(default_factory=dict)


def by_revision(
    instances: Iterable[Instance], used: Used, before: Used | None, leaving: Container[str] = ()
) -> tuple[RevisionUsage, ...]:
    """Sums over the instances of each revision. ``before``: what the look before found, None at the first; ``leaving``: those
    that are being drained.

    An instance that came meanwhile has used all of its CPU time since; one that has ended takes the rest with it.
    """
    sums: dict[tuple[str, str, int], _Sum] = {}
    for one in instances:
        if one.id not in used:
            continue
        memory_bytes, cpu_s = used[one.id]
        if before is None:
            cpu_s = 0.0
        elif one.id in before:
            cpu_s = max(cpu_s - before[one.id][1], 0.0)
        key = (one.function.namespace, one.function.name, one.revision)
        total = sums.setdefault(key, _Sum())
        total.instances += 1
        total.memory_bytes += memory_bytes
        total.cpu_s = round(total.cpu_s + cpu_s, 6)
        total.memory_limit_bytes += one.memory_bytes
        total.cpu_limit = round(total.cpu_limit + one.cpu, 6)
        state = _state(one, leaving)
        total.states[state] = total.states.get(state, 0) + 1
    return tuple(RevisionUsage(*key, **vars(total)) for key, total in sorted(sums.items()))


def _state(one: Instance, leaving: Container[str]) -> str:
    if one.state == "stopping" or one.id in leaving:
        return "draining"
    return "frozen" if one.frozen else one.state


def of_pools(now: Mapping[str, PoolFigures], before: Mapping[str, PoolFigures]) -> tuple[PoolUsage, ...]:
    """What came since ``before``; all of it, where the pool has begun again meanwhile."""
    found = []
    for language, seen in sorted(now.items()):
        known = before.get(language)
        if known is None or seen.hits < known.hits or seen.misses < known.misses:
            known = PoolFigures(0, 0, 0)
        found.append(PoolUsage(language, seen.size, seen.hits - known.hits, seen.misses - known.misses))
    return tuple(found)


class UsageReports:
    """Nothing is told while the driver is away."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        tracked: Mapping[str, FunctionState],
        node: NodeDesk,
        *,
        member: str = "manager.local",
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._driver = driver
        self._tracked = tracked
        self._node = node
        self._member = member
        self._every_s = every_s
        self._clock = clock
        self._before: tuple[float, Used] | None = None
        self._pools: Mapping[str, PoolFigures] | None = None  # None: what they did before was told by another process
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="usage")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self) -> None:
        """Look and publish once. Raises: Unavailable, where the driver or the bus is away."""
        used = await self._driver.usage()
        instances = await self._driver.observe()
        pools = await self._driver.pools()
        known, self._pools = pools if self._pools is None else self._pools, pools
        now = self._clock()
        before, self._before = self._before, (now, used)
        leaving = {identifier for identifier, state in self._tracked.items() if state.instances[identifier].leaving}
        report = UsageReport(
            self._member,
            now,
            period_s=now - before[0] if before else 0.0,
            usages=by_revision(instances, used, before[1] if before else None, leaving),
            pools=of_pools(pools, known),
            memory_budget_bytes=self._node.budget_bytes,
            memory_reserved_bytes=self._node.ledger.total.memory_bytes,
        )
        await self._bus.publish(USAGE_SUBJECT, encode(report))

    async def _run(self) -> None:
        while True:
            try:
                await self.tell()
            except FfxError as error:
                log.debug("usage was not told", reason=error.message)
            except Exception:
                log.exception(
                    "a look at what is used failed"
                )  # were it the last one, nothing would scale down any more
            await asyncio.sleep(self._every_s)
