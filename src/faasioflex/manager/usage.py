"""What the instances of this node use, told every few seconds. Costs what there are instances, not functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError
from faasioflex.model.instance import Instance
from faasioflex.model.messages import USAGE_SUBJECT, RevisionUsage, UsageReport
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
EVERY_S = 5.0
Used = Mapping[str, tuple[int, float]]  # instance -> memory in bytes, CPU seconds so far


def by_revision(instances: Iterable[Instance], used: Used, before: Used | None) -> tuple[RevisionUsage, ...]:
    """Sums over the instances of each revision. ``before``: what the look before found, None at the first.

    An instance that came meanwhile has used all of its CPU time since; one that has ended takes the rest with it.
    """
    sums: dict[tuple[str, str, int], tuple[int, int, float]] = {}
    for one in instances:
        if one.id not in used:
            continue
        memory_bytes, cpu_s = used[one.id]
        if before is None:
            cpu_s = 0.0
        elif one.id in before:
            cpu_s = max(cpu_s - before[one.id][1], 0.0)
        key = (one.function.namespace, one.function.name, one.revision)
        count, memory_sum, cpu_sum = sums.get(key, (0, 0, 0.0))
        sums[key] = count + 1, memory_sum + memory_bytes, cpu_sum + cpu_s
    return tuple(
        RevisionUsage(*key, instances=count, memory_bytes=memory_bytes, cpu_s=round(cpu_s, 6))
        for key, (count, memory_bytes, cpu_s) in sorted(sums.items())
    )


class UsageReports:
    """Nothing is told while the driver is away."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        *,
        member: str = "manager.local",
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._driver = driver
        self._member = member
        self._every_s = every_s
        self._clock = clock
        self._before: tuple[float, Used] | None = None
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
        now = self._clock()
        before, self._before = self._before, (now, used)
        usages = by_revision(instances, used, before[1] if before else None)
        period_s = now - before[0] if before else 0.0
        await self._bus.publish(USAGE_SUBJECT, encode(UsageReport(self._member, now, period_s, usages)))

    async def _run(self) -> None:
        while True:
            try:
                await self.tell()
            except FfxError as error:
                log.debug("usage was not told", reason=error.message)
            await asyncio.sleep(self._every_s)
