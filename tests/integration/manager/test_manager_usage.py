"""Usage reports over the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faasioflex.bus.codec import decode
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.capacity.ledger import Ledger
from faasioflex.manager.service import FunctionManager
from faasioflex.manager.usage import UsageReports
from faasioflex.model.errors import Unavailable
from faasioflex.model.function import Limits, Network
from faasioflex.model.instance import BuiltCode, InstanceSpec
from faasioflex.model.messages import USAGE_SUBJECT, PoolUsage, RevisionUsage, UsageReport
from faasioflex.model.names import FunctionName
from faasioflex.runtime.memory import MemoryDriver
from faasioflex.runtime.port import PoolFigures
from support.deadline import eventually
from support.memory_builder import MemoryBuilder

UNBOUNDED = NodeDesk(Ledger(), None, {}, lambda: 0.0)


@asynccontextmanager
async def listening(bus: MemoryBus) -> AsyncIterator[list[UsageReport]]:
    told: list[UsageReport] = []

    async def take(_: str, data: bytes) -> None:
        told.append(decode(UsageReport, data))

    stop = await bus.subscribe(USAGE_SUBJECT, take)
    yield told
    await stop()


def spec(id: str) -> InstanceSpec:
    code = BuiltCode(Path("/code"), None)
    return InstanceSpec(
        id, FunctionName("acme", "a"), "u", 4, "python", None, {}, Limits(), Network(), code, platform_url=None
    )


def used(count: int, memory_bytes: int, cpu_s: float) -> RevisionUsage:
    """With the limits that so many instances have together."""
    limits = Limits()
    return RevisionUsage(
        "acme",
        "a",
        4,
        count,
        memory_bytes,
        cpu_s,
        memory_limit_bytes=count * limits.memory_bytes,
        cpu_limit=count * limits.cpu,
        states={"ready": count},
    )


async def test_each_report_covers_what_came_since_the_one_before() -> None:
    bus, driver, now = MemoryBus(), MemoryDriver(), [100.0]
    reports = UsageReports(bus, driver, {}, UNBOUNDED, clock=lambda: now[0])
    await driver.start(spec("i-1"))
    driver.used = {"i-1": (1000, 2.0), "i-2": (500, 0.5)}
    async with listening(bus) as told:
        await reports.tell()
        now[0] = 105.0
        driver.used["i-1"] = (2000, 3.5)
        await driver.start(spec("i-2"))
        await reports.tell()
        now[0] = 110.0
        driver.end("i-1", "exit", "ended")
        driver.end("i-2", "exit", "ended")
        await reports.tell()
        await eventually(lambda: len(told) == 3, "three reports")
    assert told == [
        UsageReport("manager.local", 100.0, 0.0, (used(1, 1000, 0.0),)),
        UsageReport("manager.local", 105.0, 5.0, (used(2, 2500, 2.0),)),
        UsageReport("manager.local", 110.0, 5.0, ()),
    ]


async def test_nothing_is_told_while_the_driver_is_away_and_it_goes_on_when_it_is_back() -> None:
    bus, driver = MemoryBus(), MemoryDriver()
    driver.away = True
    reports = UsageReports(bus, driver, {}, UNBOUNDED, every_s=0.01)
    with pytest.raises(Unavailable):
        await reports.tell()
    async with listening(bus) as told:
        await reports.start()
        await asyncio.sleep(0.05)  # some rounds; were one told, it would be seen
        assert not told
        driver.away = False
        await eventually(lambda: told, "it is told again")
        await reports.stop()


async def test_an_answer_that_nobody_understands_is_not_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, driver = MemoryBus(), MemoryDriver()
    looked = 0

    async def pools() -> dict[str, PoolFigures]:
        nonlocal looked
        looked += 1
        if looked == 1:
            raise KeyError("spares")
        return {}

    monkeypatch.setattr(driver, "pools", pools)
    reports = UsageReports(bus, driver, {}, UNBOUNDED, every_s=0.01)
    async with listening(bus) as told:
        await reports.start()
        await eventually(lambda: told, "it is told all the same")
        await reports.stop()


async def test_the_manager_tells_it() -> None:
    """Wired: the first report comes with the start."""
    bus, driver = MemoryBus(), MemoryDriver()
    async with listening(bus) as told:
        manager = FunctionManager(bus, driver, MemoryBuilder())
        await manager.start()
        await eventually(lambda: told, "a report")
        await manager.stop()


async def test_what_the_pool_did_is_told_once() -> None:
    bus, driver = MemoryBus(), MemoryDriver()
    reports = UsageReports(bus, driver, {}, UNBOUNDED)
    driver.pooled = {"python": PoolFigures(2, 7, 1)}
    async with listening(bus) as told:
        await reports.tell()
        driver.pooled = {"python": PoolFigures(1, 8, 1)}
        await reports.tell()
        await reports.tell()
        await eventually(lambda: len(told) == 3, "three reports")
    pools = [report.pools for report in told]
    assert pools == [(PoolUsage("python", 2, 0, 0),), (PoolUsage("python", 1, 1, 0),), (PoolUsage("python", 1, 0, 0),)]
