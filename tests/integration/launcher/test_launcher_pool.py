"""The pool of a real launcher: who gets a sandbox that was started beforehand, and what happens where there is none."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from faasioflex.model.function import MIB, Limits
from faasioflex.runtime.processes import environment_of, pids
from support.deadline import awaited, eventually
from support.launcher import World, client, inside, launched

TELL = (
    "import os, sys\nresult = [os.environ.get('GREETING'), sorted(os.environ), sys.argv[1:], os.getcwd(), os.getpid(),\n"
    "  os.sched_getscheduler(0), sorted(os.readlink(f'/proc/self/fd/{number}').split(':')[0] for number in range(3, 12)\n"
    "    if os.path.islink(f'/proc/self/fd/{number}'))]"
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with launched("sandbox", pool_bytes=96 * MIB) as made:
        yield made


def _of(world: World) -> list[int]:
    data = os.fsencode(world.data)
    return [
        pid for pid in pids() if environment_of(pid).get(b"FFX_DATA") == data and b"FFX_INSTANCE" in environment_of(pid)
    ]


async def test_an_instance_of_the_pool_is_like_any_other(world: World) -> None:
    """The same environment, arguments and folder as in a sandbox that was started for it."""
    pooled = await world.ready(env={"GREETING": "hi"})
    fresh = await world.ready(env={"GREETING": "hi"}, limits=Limits(disk_bytes=8 * MIB))
    assert (await world.sandbox_of(pooled)).startswith("p-")
    assert await world.sandbox_of(fresh) == fresh.id
    assert await inside(pooled, TELL) == await inside(fresh, TELL)
    figures = await world.pool()
    assert (figures["hits"], figures["misses"]) == (1, 1)
    assert figures["memory_bytes"] <= figures["memory_limit_bytes"]


async def test_a_shape_that_is_asked_for_has_spares_too(world: World) -> None:
    limits = Limits(disk_bytes=8 * MIB)
    first = await world.ready(limits=limits)
    assert await world.sandbox_of(first) == first.id

    async def pooled() -> bool:
        instance = await world.ready(limits=limits)
        mine = await world.sandbox_of(instance)
        await world.driver.stop(instance.id, 0)
        return mine.startswith("p-")

    await awaited(pooled, "the next of that shape comes from the pool")


@pytest.mark.parametrize(
    ("runtime", "files", "answer"),
    [
        ("exec", {"run.sh": '#!/bin/sh\nread word; echo "$GREETING $word"\n'}, "hi you"),
        ("bash", {"handle.sh": 'read word; echo "$GREETING $word"\n'}, "hi you"),
    ],
)
async def test_programs_come_from_pythons_spares(
    world: World, runtime: Any, files: dict[str, str], answer: str
) -> None:
    instance = await world.ready(files, runtime=runtime, env={"GREETING": "hi"})
    assert (await world.sandbox_of(instance)).startswith("p-")
    async with client(instance) as http:
        assert (await http.post("/", content="you\n")).text.strip() == answer


async def test_a_module_of_the_functions_own_hides_one_that_was_read_beforehand(world: World) -> None:
    files = {"main.py": "import csv\ndef handle(event, context):\n    return csv.MINE\n", "csv.py": "MINE = 'own'\n"}
    async with client(await world.ready(files)) as http:
        assert (await http.post("/")).text == "own"


async def test_many_at_once_are_all_served(world: World) -> None:
    await world.warm(2)
    started = await asyncio.gather(*(world.driver.start(world.spec()) for _ in range(8)))
    await eventually(lambda: {one.id for one in started} <= set(world.seen.ready), "all are ready")
    assert await asyncio.gather(*(inside(one, "result = 1") for one in started)) == [1] * 8
    boxes = [await world.sandbox_of(one) for one in started]
    assert len(set(boxes)) == 8


async def test_a_spare_that_somebody_kills_does_no_harm(world: World) -> None:
    await world.warm(2)
    killed = _of(world)
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def noticed() -> bool:
        return not set(killed) & set(pids()) and not sum((await world.pool())["warm"].values())

    await awaited(noticed, "they are gone")
    instance = await world.driver.start(world.spec())
    await eventually(lambda: instance.id in world.seen.ready, "it is ready")
    assert await inside(instance, "result = 1") == 1


@pytest.mark.parametrize("killed", [True, False])
async def test_nothing_of_the_pool_outlives_its_launcher(world: World, killed: bool) -> None:
    await world.warm(2)
    before = {environment_of(pid).get(b"FFX_INSTANCE") for pid in _of(world)}
    assert len(before) >= 2
    if killed:
        world.launcher.kill()
        await world.launcher.start()
        await world.warm(2)
        assert not before & {environment_of(pid).get(b"FFX_INSTANCE") for pid in _of(world)}
    assert world.launcher.stop() == 0
    await eventually(lambda: not _of(world), "nothing is left")
    assert list((world.data / "run" / "i").iterdir()) == []
