"""Builds beside each other and after each other: joined, shared, collected, cut short."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.builder.service import _not_written
from faasioflex.model.errors import BuildFailed, Unavailable
from faasioflex.model.function import CodeSource
from support.building import HANDLE, Building, record
from support.deadline import eventually
from support.egress import launched_with_relay
from support.launcher import client, launched
from support.package_index import PackageIndex
from support.python_packages import source_package, wheel, wheel_name

NEEDS = {"requirements.txt": "greeting\n", "main.py": f"import greeting\n{HANDLE}"}


def _offer(index: PackageIndex) -> None:
    index.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0"))


async def test_the_same_code_is_built_once(building: Building) -> None:
    first = await building.build({"main.py": HANDLE})
    steps = len(building.lines)
    assert await building.build({"main.py": HANDLE}, number=2, name="other", namespace="globex") == first
    assert len(building.lines) == steps
    assert await building.build({"main.py": HANDLE}, number=3, handler="main:handle") != first


async def test_equal_builds_at_once_are_one(building: Building, index: PackageIndex) -> None:
    _offer(index)
    index.open.clear()
    wanted = await building.stored(NEEDS)
    lines: list[list[str]] = [[], []]
    one = asyncio.create_task(building.builder.build(wanted, lines[0].append))
    await eventually(lambda: index.asked, "the registry is asked", 60)
    two = asyncio.create_task(building.builder.build(record(wanted.source, number=2), lines[1].append))
    await eventually(lambda: lines[1], "the second has joined")
    index.open.set()
    assert await one == await two
    assert lines[0] == lines[1]
    assert len([path for path in index.asked if path == "/simple/greeting/"]) == 1


async def test_another_environment_is_another_build(building: Building, index: PackageIndex) -> None:
    """What one is told of its environment is not said to the other."""
    files = {"main.py": f"import os\nos.environ['COLOUR']\n{HANDLE}"}
    wanted = await building.stored(files)
    bare, coloured = await asyncio.gather(
        building.builder.build(wanted, building.lines.append),
        building.builder.build(record(wanted.source, env={"COLOUR": "green"}), building.lines.append),
        return_exceptions=True,
    )
    assert isinstance(bare, BuildFailed)
    assert not isinstance(coloured, BaseException)


async def test_who_waits_may_go(building: Building, index: PackageIndex) -> None:
    """The build goes on, for the others and the next time."""
    _offer(index)
    index.open.clear()
    wanted = await building.stored(NEEDS)
    impatient = asyncio.create_task(building.builder.build(wanted, building.lines.append))
    await eventually(lambda: index.asked, "the registry is asked", 60)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    index.open.set()
    await eventually(lambda: building.builder.find(wanted), "it is built", 60)
    await building.give_up()


async def test_lines_of_the_tools_come_while_they_run(building: Building, index: PackageIndex) -> None:
    _offer(index)
    index.open.clear()
    wanted = await building.stored(NEEDS)
    under_way = asyncio.create_task(building.builder.build(wanted, building.lines.append))
    await eventually(lambda: any("Using CPython" in line for line in building.lines), "uv's first line", 60)
    assert not under_way.done()
    index.open.set()
    await under_way


async def test_a_function_runs_with_its_packages(index: PackageIndex) -> None:
    """From the registry to an answer, in both modes of the launcher; a package without a wheel among them."""
    index.add("greeting-1.0.tar.gz", source_package("greeting"))
    index.add(wheel_name("h11", "99.0"), wheel("h11", "99.0"))
    files = {
        "requirements.txt": "greeting\nh11\n",
        "main.py": "import greeting, h11\ndef handle(event, context):\n    return [greeting.BUILT, h11.VERSION]\n",
    }
    for node in (launched_with_relay(), launched("process")):
        async with node as world:
            building = Building(MemoryBus(), world.driver, world.data / "builds", index)
            instance = await world.ready(code=await building.build(files))
            async with client(instance) as http:
                assert (await http.post("/")).json() == [True, "99.0"]
            building.assert_tidy()


async def test_code_that_is_not_stored(building: Building) -> None:
    with pytest.raises(BuildFailed, match="not stored any more: deploy it again"):
        await building.builder.build(record(CodeSource("0" * 64, 1)), building.lines.append)


async def test_code_that_is_damaged(building: Building) -> None:
    wanted, other = await building.stored({"main.py": HANDLE}), await building.stored({"main.py": "x = 1\n"})
    objects = building.bus.objects(CODE_OBJECTS)
    packed = await objects.get(other.source.sha256)  # type: ignore[union-attr]
    assert packed is not None
    await objects.put("1" * 64, packed)
    for broken in (packed[: len(packed) // 2], b"no archive at all"):
        await objects.put("2" * 64, broken)
        with pytest.raises(BuildFailed):
            await building.builder.build(record(CodeSource("2" * 64, 1)), building.lines.append)
        await objects.delete("2" * 64)
    with pytest.raises(BuildFailed, match="damaged"):
        await building.builder.build(record(CodeSource("1" * 64, 1)), building.lines.append)
    await building.builder.build(wanted, building.lines.append)


async def test_a_file_that_cannot_be_written(building: Building) -> None:
    wanted = await building.stored({"main.py": HANDLE + "# " + "x" * 20_000})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(BuildFailed, match=r"cannot be written on this machine.*ffx doctor"):
            await building.builder.build(wanted, building.lines.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await building.builder.build(wanted, building.lines.append)


def test_a_full_disk_is_called_so() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT):
        assert "disk of this machine is full" in _not_written(OSError(number, os.strerror(number))).message


async def test_the_launcher_dies(index: PackageIndex) -> None:
    _offer(index)
    async with launched_with_relay() as world:
        building = Building(MemoryBus(), world.driver, world.data / "builds", index)
        index.open.clear()
        wanted = await building.stored(NEEDS)
        under_way = asyncio.create_task(building.builder.build(wanted, building.lines.append))
        await eventually(lambda: index.asked, "the registry is asked", 60)
        world.launcher.kill()
        with pytest.raises(Unavailable):
            await under_way
        index.open.set()
        await world.launcher.start()
        assert await building.builder.build(wanted, building.lines.append)
        building.assert_tidy()


BUILD_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from faasioflex.bus.memory import MemoryBus
from faasioflex.runtime.driver import LauncherDriver
from support.building import Building
from support.package_index import PackageIndex

class Elsewhere:
    url = sys.argv[3]

async def main():
    building = Building(MemoryBus(), LauncherDriver(Path(sys.argv[1])), Path(sys.argv[2]), Elsewhere())
    wanted = await building.stored({"requirements.txt": "greeting", "main.py": "x"})
    await building.builder.build(wanted, print)

asyncio.run(main())
"""


async def test_the_manager_is_killed(building: Building, index: PackageIndex) -> None:
    """Only folders that are swept at the next start are left of what was under way."""
    _offer(index)
    done = await building.build(NEEDS)
    index.open.clear()
    index.asked.clear()
    tests = Path(__file__).parents[2]
    arguments = [str(building.launcher_socket), str(building.folder), index.url]
    other = {**NEEDS, "requirements.txt": "greeting>=1\n"}
    script = BUILD_AND_WAIT.replace('"greeting"', '"greeting>=1"')
    manager = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdout=subprocess.DEVNULL,
    )
    await eventually(lambda: index.asked, "the registry is asked", 60)
    left = [name for kind in ("code", "packages") for name in building.kept(kind) if name.startswith(".tmp-")]
    assert len(left) == 2
    manager.send_signal(signal.SIGKILL)
    manager.wait(10)
    index.open.set()

    def swept() -> bool:
        building.builder = building.another()
        return not any(name.startswith(".tmp-") for kind in ("code", "packages") for name in building.kept(kind))

    await eventually(swept, "what it left is gone", 30)
    assert await building.build(NEEDS) == done
    await building.build(other)


async def test_unused_builds_and_layers_go(building: Building, index: PackageIndex) -> None:
    _offer(index)
    used, unused = await building.stored(NEEDS), await building.stored({**NEEDS, "requirements.txt": "greeting==1\n"})
    for one in (used, unused):
        await building.builder.build(one, building.lines.append)
    assert (len(building.kept("code")), len(building.kept("packages"))) == (2, 2)
    await building.builder.collect([used])
    assert (len(building.kept("code")), len(building.kept("packages"))) == (2, 2)  # one look is not enough
    await building.builder.collect([used])
    await building.builder.collect([used])
    assert (len(building.kept("code")), len(building.kept("packages"))) == (1, 1)
    assert building.builder.find(used)
    assert building.builder.find(unused) is None
    assert await building.builder.build(unused, building.lines.append)


async def test_what_was_asked_for_stays(building: Building) -> None:
    """A revision may find its build before the collection knows of the revision."""
    wanted = await building.stored({"main.py": HANDLE})
    await building.builder.build(wanted, building.lines.append)
    await building.builder.collect([])
    assert building.builder.find(wanted)
    await building.builder.collect([])
    assert building.builder.find(wanted)


async def test_what_is_under_way_stays(building: Building, index: PackageIndex) -> None:
    """Also a layer that was made for a build which is not finished yet."""
    _offer(index)
    layer = (await building.build(NEEDS)).deps
    assert layer is not None
    for _ in range(3):
        await building.builder.collect([])
    assert building.kept("packages") == set()
    gate = asyncio.Event()
    collected = asyncio.Event()

    def on_line(line: str) -> None:
        if line == "== compile":
            gate.set()

    main = f"import greeting, time\n{HANDLE}"
    wanted = await building.stored({**NEEDS, "main.py": main})
    under_way = asyncio.create_task(building.builder.build(wanted, on_line))

    async def collect_all_the_time() -> None:
        await gate.wait()
        while not under_way.done():
            await building.builder.collect([])
            collected.set()
            await asyncio.sleep(0.01)

    await asyncio.gather(under_way, collect_all_the_time())
    assert collected.is_set()
    built = building.builder.find(wanted)
    assert built is not None
    assert built.deps is not None
    assert (built.deps / "greeting.py").exists()


async def test_a_build_without_its_layer_is_made_again(building: Building, index: PackageIndex) -> None:
    _offer(index)
    wanted = await building.stored(NEEDS)
    built = await building.builder.build(wanted, building.lines.append)
    assert built.deps is not None
    built.deps.rename(building.folder / "lost")
    assert building.builder.find(wanted) is None
    assert (await building.builder.build(wanted, building.lines.append)).deps == built.deps
    (built.code.parent / "built.json").write_text("{")
    assert building.builder.find(wanted) is None
    assert await building.builder.build(wanted, building.lines.append) == built
