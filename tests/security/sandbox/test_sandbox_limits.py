"""What a function may use: memory, processes, descriptors, disk, output. More of it hurts nobody else."""

from __future__ import annotations

import contextlib
import os

import httpx
import pytest

from faasioflex.model.function import MIB, Limits
from faasioflex.runtime.sandbox.staging import OPEN_FILES
from support.deadline import eventually
from support.launcher import World, client, inside, job

WRITE = (
    "import os\n"
    "def fill(path):\n"
    "    written = 0\n"
    "    try:\n"
    "        with open(path, 'wb') as file:\n"
    "            while True: written += file.write(b'x' * 65536)\n"
    "    except OSError as e:\n"
    "        return [written, e.strerror]\n"
)


async def test_tmp_is_its_own_and_as_large_as_its_limit(world: World) -> None:
    instance = await world.ready(limits=Limits(disk_bytes=8 * MIB))
    written, error = await inside(instance, WRITE + "result = fill('/tmp/full')")
    assert error == "No space left on device"
    assert 7 * MIB <= written <= 8 * MIB
    other = await world.ready()
    assert await inside(other, "import os\nresult = os.listdir('/tmp')") == []


async def test_files_in_tmp_do_not_count_as_memory(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=64 * MIB, disk_bytes=96 * MIB))
    written, error = await inside(instance, WRITE + "result = fill('/tmp/full')")
    assert error == "No space left on device"
    assert written >= 90 * MIB


async def test_shared_memory_is_small(world: World) -> None:
    written, _ = await inside(await world.ready(), WRITE + "result = fill('/dev/shm/full')")
    assert written <= 16 * MIB


async def test_memory_of_a_child_counts(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=96 * MIB))
    eats = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'a=[]\\nwhile True: a.append(bytearray(b\"x\") * 4_000_000)'])"
    async with client(instance) as http:
        with contextlib.suppress(httpx.HTTPError):  # or an answer, where it was quicker than its end
            await http.post("/", content=eats)
    assert (await world.end_of(instance.id)).reason == "out-of-memory"


async def test_memory_that_belongs_to_no_process_counts_or_cannot_be_had(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=96 * MIB, disk_bytes=8 * MIB))
    source = (
        "import os\n"
        "try:\n"
        "    kept = []\n"
        "    for _ in range(200):\n"
        "        kept.append(os.memfd_create('m'))\n"
        "        os.write(kept[-1], b'x' * 2_000_000)\n"
        "    result = 'got it all'\n"
        "except OSError as e:\n"
        "    result = e.strerror\n"
    )
    async with client(instance) as http:
        try:
            answer = (await http.post("/", content=source, headers={"content-type": "text/plain"})).json()
        except httpx.HTTPError:
            assert (await world.end_of(instance.id)).reason == "out-of-memory"
        else:
            assert answer["result"] != "got it all"


async def test_a_fork_bomb_is_bounded(world: World) -> None:
    instance = await world.ready(limits=Limits(processes=24))
    source = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    for _ in range(500):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(60); os._exit(0)\n"
        "        made += 1\n"
        "    result = ['no end', made]\n"
        "except OSError as e:\n"
        "    result = [e.strerror, made]\n"
    )
    error, made = await inside(instance, source)
    assert error == "Resource temporarily unavailable"
    assert made < 24


async def test_another_instance_starts_beside_a_fork_bomb(world: World) -> None:
    bomb = await world.ready(limits=Limits(processes=16))
    burst = "import os, time\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60)\nexcept OSError: result = 'full'"
    assert await inside(bomb, burst) == "full"
    assert await inside(await world.ready(), "import os\nif os.fork() == 0: os._exit(0)\nresult = 'forked'") == "forked"


async def test_descriptors_are_bounded(world: World) -> None:
    source = (
        "import os\nkept = []\n"
        "try:\n"
        "    for _ in range(20_000): kept.append(os.open('/dev/null', os.O_RDONLY))\n"
        "    result = ['no end', len(kept)]\n"
        "except OSError as e:\n"
        "    result = [e.strerror, len(kept)]\n"
        "[os.close(one) for one in kept]\n"
    )
    error, opened = await inside(await world.ready(), source)
    assert error == "Too many open files"
    assert opened < OPEN_FILES


async def test_limits_cannot_be_raised(world: World) -> None:
    source = (
        "import resource\nresult = []\n"
        "for kind in ('NOFILE', 'CORE', 'FSIZE', 'NPROC'):\n"
        "    number = getattr(resource, 'RLIMIT_' + kind)\n"
        "    soft, hard = resource.getrlimit(number)\n"
        "    try: resource.setrlimit(number, (hard + 1, hard + 1)); result.append(kind)\n"
        "    except (OSError, ValueError): pass\n"
    )
    assert await inside(await world.ready(), source) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a CPU limit needs a control group")
async def test_its_cpu_is_limited_once_it_is_ready(world: World) -> None:
    source = (
        "import time\n"
        "begun, used = time.monotonic(), time.process_time()\n"
        "while time.monotonic() - begun < 1.0: pass\n"
        "result = time.process_time() - used\n"
    )
    used = await inside(await world.ready(limits=Limits(cpu=0.1)), source)
    assert used < 0.4  # of a second on a core of its own it would have been 1


async def test_a_flood_of_lines_is_bounded_and_said_so(world: World) -> None:
    instance = await world.ready(
        {"main.py": "import os\ndef handle(e, c):\n    exec(e.text()); return {'result': 'done'}\n"}
    )
    await inside(instance, "import os\nfor n in range(60): os.write(1, b'a line of the flood\\n' * 3000)")
    await eventually(
        lambda: any("lines/s" in line for line in world.seen.messages(instance.id, "platform")), "the notice"
    )
    assert await inside(instance, "import os; os.write(1, b'afterwards')") == "done"
    kept = [line for line in world.seen.messages(instance.id, "stdout") if line == "a line of the flood"]
    await eventually(
        lambda: sum(_dropped(world, instance.id)) + len(kept) >= 180_000 * 0.9, "every line is kept or counted"
    )
    assert len(kept) < 20_000


def _dropped(world: World, instance: str) -> list[int]:
    return [int(line.split()[0]) for line in world.seen.messages(instance, "platform") if "lines dropped" in line]


async def test_a_line_without_end_hurts_nobody(world: World) -> None:
    before = _resident_bytes(world.launcher.pid)
    lines: list[str] = []
    endless = job(("sh", "-c", "head -c 300000000 /dev/zero | tr '\\0' x; echo; echo end"))
    ended = await world.driver.run(endless, lines.append)
    assert ended.exit_code == 0
    assert max(len(line) for line in lines) <= 16 * 1024
    assert _resident_bytes(world.launcher.pid) - before < 60 * MIB


def _resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
