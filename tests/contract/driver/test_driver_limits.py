"""Limits of a running instance are changed, and it is frozen and thawed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from statistics import median

import pytest

from faasioflex.model.errors import Conflict, NotSupportedYet
from faasioflex.model.function import MIB, Limits
from faasioflex.model.instance import Instance
from faasioflex.runtime.processes import environment_of, pids
from faasioflex.runtime.sandbox.cgroups import available
from support.deadline import awaited, eventually
from support.launcher import World, client, inside

SMALL, LARGE = Limits(memory_bytes=96 * MIB, cpu=0.5), 320 * MIB
TAKE = "import sys; sys.kept = bytearray(b'x') * {mib} * 1048576; result = len(sys.kept)"


async def seen(world: World, instance: Instance) -> Instance:
    return next(one for one in await world.driver.observe() if one.id == instance.id)


async def test_more_memory_while_it_runs(world: World) -> None:
    instance = await world.ready(limits=SMALL)
    await world.driver.resize(instance.id, LARGE, SMALL.cpu)
    assert await inside(instance, TAKE.format(mib=160)) == 160 * MIB
    assert (await seen(world, instance)).memory_bytes == LARGE


async def test_the_new_limit_ends_it_as_the_old_one_would(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=LARGE))
    await world.driver.resize(instance.id, SMALL.memory_bytes, Limits().cpu)
    with pytest.raises(Exception):  # noqa: B017, PT011  (cut off, in one way or another)
        await inside(instance, TAKE.format(mib=160) + "; import time; time.sleep(30)")
    end = await world.end_of(instance.id)
    assert end.reason == "out-of-memory"
    assert "96 MiB" in end.detail


async def test_never_less_than_it_uses(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=LARGE))
    await inside(instance, TAKE.format(mib=160))
    with pytest.raises(Conflict, match="more than 96 MiB"):
        await world.driver.resize(instance.id, SMALL.memory_bytes, Limits().cpu)
    assert (await seen(world, instance)).memory_bytes == LARGE
    assert await inside(instance, "result = 'lives'") == "lives"


async def test_more_cpu_where_the_machine_holds_it(world: World) -> None:
    instance = await world.ready(limits=Limits(cpu=0.1))
    machine = available()
    if world.launcher.mode == "process" or machine is None or "cpu" not in machine[1]:
        with pytest.raises(NotSupportedYet, match="ffx doctor"):
            await world.driver.resize(instance.id, SMALL.memory_bytes, 1.0)
        assert (await seen(world, instance)).memory_bytes == Limits().memory_bytes  # all or nothing
        return
    spend = (
        "import time; end = time.thread_time() + 0.1; begun = time.monotonic()\nwhile time.thread_time() < end: pass\n"
    )
    spend += "result = time.monotonic() - begun"
    slow_s = await inside(instance, spend)
    await world.driver.resize(instance.id, Limits().memory_bytes, 2.0)
    assert slow_s > 0.5

    async def fast() -> bool:
        return bool(await inside(instance, spend) < 0.5)  # which a tenth of a core never is

    await awaited(fast, "it is held back no more", within_s=60)  # the machine may be busy
    assert (await seen(world, instance)).cpu == 2.0


async def test_an_unknown_one_is_no_error(world: World) -> None:
    await world.driver.resize("i-0000000000000000", LARGE, 1.0)
    await world.driver.freeze("i-0000000000000000")
    await world.driver.thaw("i-0000000000000000")


BUSY = {
    "main.py": (
        "import threading\n"
        "def run():\n"
        "    while True: pass\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "def handle(event, context): return 'thawed'\n"
    )
}


async def test_nothing_of_a_frozen_one_runs_and_a_call_waits_for_its_thaw(world: World) -> None:
    instance = await world.ready(BUSY)
    await world.driver.freeze(instance.id)
    await world.driver.freeze(instance.id)
    assert (await seen(world, instance)).frozen
    _, before = (await world.driver.usage())[instance.id]
    async with client(instance) as http:
        call = asyncio.create_task(http.get("/"))
        done, _ = await asyncio.wait([call], timeout=0.2)
        _, after = (await world.driver.usage())[instance.id]
        assert not done
        assert after == pytest.approx(before, abs=0.011)  # a tick of /proc
        await world.driver.thaw(instance.id)
        assert (await asyncio.wait_for(call, 20)).text == "thawed"
    assert not (await seen(world, instance)).frozen


async def test_one_that_somebody_is_connected_to_is_not_frozen(world: World) -> None:
    instance = await world.ready()
    async with client(instance) as http:
        assert (await http.post("/", content="result = 1")).status_code == 200
        with pytest.raises(Conflict, match="1 connections"):  # kept for the next call
            await world.driver.freeze(instance.id)
    assert not (await seen(world, instance)).frozen
    await rests(world, instance)
    assert (await seen(world, instance)).frozen


async def rests(world: World, instance: Instance) -> None:
    """Freeze it, as soon as its runtime has closed its end of the last call's connection."""

    async def frozen() -> bool:
        try:
            await world.driver.freeze(instance.id)
        except Conflict:
            return False
        return True

    await awaited(frozen, "it can be frozen")


async def test_a_thaw_takes_a_moment(world: World) -> None:
    instance = await world.ready()
    took = []
    for _ in range(30):
        await world.driver.freeze(instance.id)
        begun = time.perf_counter()
        await world.driver.thaw(instance.id)
        took.append(time.perf_counter() - begun)
    assert median(took) < 0.05  # about 0.5 ms; the machine may be busy


async def test_a_frozen_one_hears_of_sigterm(world: World) -> None:
    instance = await world.ready()
    await world.driver.freeze(instance.id)
    begun = time.monotonic()
    await world.driver.stop(instance.id, grace_s=60)
    assert time.monotonic() - begun < 30
    assert (await world.end_of(instance.id)).reason == "stopped"


async def test_the_end_of_a_frozen_one_is_told(world: World) -> None:
    instance = await world.ready()
    await world.driver.freeze(instance.id)
    mark = (await world.sandbox_of(instance)).encode()
    for pid in [pid for pid in pids() if environment_of(pid).get(b"FFX_INSTANCE") == mark]:
        with suppress(ProcessLookupError):  # the first one's end may be that of the others
            os.kill(pid, signal.SIGKILL)
    assert (await world.end_of(instance.id)).reason == "killed"


async def test_another_manager_sees_limits_and_frost(world: World) -> None:
    instance = await world.ready(limits=SMALL)
    await world.driver.resize(instance.id, LARGE, SMALL.cpu)
    await world.driver.freeze(instance.id)
    await world.another_manager()
    now = await seen(world, instance)
    assert (now.memory_bytes, now.frozen) == (LARGE, True)
    await world.driver.thaw(instance.id)
    assert await inside(instance, "result = 1") == 1


async def test_a_frozen_one_does_not_outlive_its_launcher(world: World) -> None:
    instance = await world.ready()
    await world.driver.freeze(instance.id)
    mark = (await world.sandbox_of(instance)).encode()

    def alive() -> list[int]:
        return [pid for pid in pids() if environment_of(pid).get(b"FFX_INSTANCE") == mark]

    assert alive()
    world.launcher.kill()
    await eventually(lambda: not alive(), "nothing of it is left")
