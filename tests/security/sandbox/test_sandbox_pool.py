"""Sandboxes that wait for a function hold nothing of anybody, and become one function's once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import httpx

from faasioflex.model.function import MIB, Limits
from faasioflex.runtime.processes import environment_of, pids
from support.deadline import eventually
from support.launcher import World, inside

SECRET = b"a-secret-of-the-first-one"
LEFT = (
    "import os, sys\n"
    "open('/tmp/left', 'w').write('mine'); os.mkdir('/dev/shm/left')\n"
    "sys.modules['left_behind'] = sys; os.environ['LEFT'] = 'mine'\n"
    "result = context.secret('first')"
)
FOUND = (
    "import os, sys\n"
    "def tried(what):\n"
    "    try: return repr(what())\n"
    "    except Exception as error: return type(error).__name__\n"
    "result = {'tmp': os.listdir('/tmp'), 'shm': os.listdir('/dev/shm'), 'left': 'left_behind' in sys.modules,\n"
    "  'env': sorted(name for name in os.environ if name in ('LEFT', 'WHOSE')), 'files': os.listdir('/run/ffx/secrets'),\n"
    "  'secret': tried(lambda: context.secret('first')), 'instance': os.environ['FFX_INSTANCE']}"
)


def _processes(world: World, mark: str) -> list[int]:
    found = []
    for pid in pids():
        environment = environment_of(pid)
        if environment.get(b"FFX_DATA") == os.fsencode(world.data):
            found += [pid] if environment.get(b"FFX_INSTANCE", b"").startswith(mark.encode()) else []
    return found


async def test_one_that_waits_holds_nothing_of_anybody(world: World) -> None:
    await inside(await world.ready(given={"secrets/first": SECRET, "token": b"t0ken"}, env={"WHOSE": "first"}), LEFT)
    await world.warm(2)
    used = set((await world.pool())["used"].values())
    waiting = [pid for pid in _processes(world, "p-") if environment_of(pid)[b"FFX_INSTANCE"].decode() not in used]
    runtimes = [pid for pid in waiting if Path(f"/proc/{pid}/comm").read_text().startswith("python")]
    assert len(runtimes) >= 2
    for pid in runtimes:
        names = {b"FFX_DATA", b"FFX_INSTANCE", b"LANG", b"PATH", b"HOME", b"TMPDIR", b"PWD"}
        assert environment_of(pid).keys() <= names
        root = Path(f"/proc/{pid}/root")
        for place in ("ffx/code", "ffx/deps", "run/ffx/secrets", "tmp", "dev/shm"):
            assert list((root / place).iterdir()) == [], place
        assert not (root / "run/ffx/token").exists()


async def test_one_that_was_a_functions_is_never_anothers(world: World) -> None:
    first = await world.ready(given={"secrets/first": SECRET}, env={"WHOSE": "first"})
    assert await inside(first, LEFT) == SECRET.decode()
    box = await world.sandbox_of(first)
    assert box.startswith("p-")
    second = await world.ready()
    assert await world.sandbox_of(second) not in (box, second.id)
    found = await inside(second, FOUND)
    assert (found["tmp"], found["shm"], found["left"], found["env"], found["files"]) == ([], [], False, [], [])
    assert found["secret"] == "LookupError"
    assert found["instance"] == second.id
    await world.driver.stop(first.id, 0)
    await eventually(lambda: not _processes(world, box), "its sandbox has ended with it")
    boxes = {await world.sandbox_of(await world.ready()) for _ in range(3)}
    assert len(boxes) == 3
    assert box not in boxes


async def test_the_way_in_is_closed_behind_the_code(world: World) -> None:
    instance = await world.ready()
    source = (
        "import os, errno\nresult = []\n"
        "for path in ('/ffx/code/main.py', '/ffx/code/new', '/ffx/deps/new', '/ffx/new'):\n"
        "    try: open(path, 'w'); result.append(path)\n"
        "    except OSError as error: result.append(errno.errorcode[error.errno])\n"
        "for line in open('/proc/self/mountinfo'):\n"
        "    place, options = line.split()[4:6]\n"
        "    if place.startswith('/ffx'): result.append([place, options.split(',')[0], 'nosuid' in options, 'nodev' in options])\n"
    )
    found = await inside(instance, source)
    assert set(found[:4]) <= {"EROFS", "EACCES"}
    assert {tuple(one[1:]) for one in found[4:]} == {("ro", True, True)}


async def test_the_limits_are_the_functions(world: World) -> None:
    """Its own memory, though the spare was started with another; its own uid as root."""
    small = await world.ready(limits=Limits(memory_bytes=64 * MIB))
    assert (await world.sandbox_of(small)).startswith("p-")
    source = "x = []\nwhile True: x.append(bytearray(1024 * 1024))"
    with suppress(httpx.TransportError):
        await inside(small, source)
    ended = await world.end_of(small.id)
    assert ended.reason == "out-of-memory"
    assert "64 MiB" in ended.detail
    if os.geteuid() == 0:
        one, two = await world.ready(), await world.ready()
        uids = [
            os.stat(f"/proc/{pid}").st_uid
            for each in (one, two)
            for pid in _processes(world, await world.sandbox_of(each))
        ]
        assert 0 not in uids
        assert len(set(uids)) == 2
