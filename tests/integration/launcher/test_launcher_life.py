"""The launcher as a process: who may talk to it, what it leaves, what it finds."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from faasioflex.model.errors import BadRequest
from faasioflex.runtime.connection import Connection
from faasioflex.runtime.processes import environment_of, pids
from faasioflex.runtime.sandbox.cgroups import find
from support.deadline import eventually
from support.launcher import LauncherProcess, World, inside, job, launched


def _of(world: World) -> list[int]:
    """Processes of instances and jobs of this installation."""
    marks = {b"FFX_DATA": os.fsencode(world.data)}
    found = []
    for pid in pids():
        environment = environment_of(pid)
        if environment.get(b"FFX_DATA") == marks[b"FFX_DATA"] and b"FFX_INSTANCE" in environment:
            found.append(pid)
    return found


async def test_its_sockets_are_private(world: World) -> None:
    instance = await world.ready()
    for path in (world.launcher.socket, Path(instance.address.removeprefix("unix:"))):
        mode = path.stat()
        assert stat.S_IMODE(mode.st_mode) == 0o600
        assert mode.st_uid == os.getuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user needs root")
async def test_another_user_is_refused_even_with_a_way_to_the_socket(world: World) -> None:
    socket = world.launcher.socket
    for folder in (world.data, socket.parent):
        folder.chmod(0o755)
    socket.chmod(0o666)
    asks = (
        "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
        's = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b\'{"id": 1, "op": "observe"}\\n\')\n'
        "print(s.recv(100))"
    )
    asked = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/python3", "-c", asks, str(socket)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert '"ok"' not in asked.stdout, asked.stdout
    assert await world.driver.observe() == []


async def test_nonsense_is_answered_and_harms_nobody(world: World) -> None:
    connection = await Connection.open(world.launcher.socket)
    for operation, content in (("fly", {}), ("start", {}), ("start", {"spec": {"id": 3}}), ("run", {"job": []})):
        with pytest.raises(BadRequest):
            await connection.call(operation, content)
    await connection.close()
    reader, writer = await asyncio.open_unix_connection(world.launcher.socket)
    writer.write(b"\xff\x00 not json\n")
    assert await reader.read() == b""
    writer.close()
    assert await inside(await world.ready(), "result = 1") == 1


async def test_a_second_launcher_on_the_folder_is_refused(world: World) -> None:
    second = ["--data", str(world.data), "--socket", str(world.launcher.socket)]
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "faasioflex.runtime.launcher", *second],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 1
    assert "another launcher serves" in run.stderr
    assert await inside(await world.ready(), "result = 'the first one serves'") == "the first one serves"


async def test_killed_it_leaves_nothing_that_runs(world: World) -> None:
    await asyncio.gather(*(world.ready() for _ in range(4)))
    running = asyncio.create_task(world.driver.run(job(("sh", "-c", "sleep 1000 & sleep 1000")), lambda line: None))
    await eventually(lambda: len(_of(world)) >= 4 * 3 + 4, "all run")
    world.launcher.kill()
    await eventually(lambda: not _of(world), "nothing is left")
    await asyncio.gather(running, return_exceptions=True)


async def test_killed_in_the_middle_of_starts_the_next_one_clears_up(world: World) -> None:
    """Between fork and the moment bubblewrap binds itself to us, a sandbox may be left over: the next launcher ends it."""
    for _ in range(5):
        starts = [asyncio.create_task(world.start()) for _ in range(6)]
        await eventually(lambda: len(_of(world)) >= 3, "some are being started")
        world.launcher.kill()
        await asyncio.gather(*starts, return_exceptions=True)
        await world.launcher.start()
        await eventually(lambda: not _of(world), "nothing of the earlier one is left")
        assert await world.driver.observe() == []
        assert list((world.launcher.socket.parent / "i").iterdir()) == []


async def test_it_ends_a_process_of_the_installation_that_escaped_it() -> None:
    left: list[subprocess.Popen[bytes]] = []

    def leave(data: Path) -> None:
        for marks in ({"FFX_INSTANCE": "i-1"}, {}):
            env = {"FFX_DATA": str(data), "PATH": os.environ["PATH"], **marks}
            left.append(subprocess.Popen(["sleep", "1000"], env=env))

    async with launched("sandbox", prepare=leave):
        instance, platform = left
        assert await asyncio.to_thread(instance.wait, 10) == -9
        assert platform.poll() is None  # it is not an instance: the supervisor's own
        platform.kill()
        platform.wait()


async def test_its_control_groups_go_with_it(world: World) -> None:
    groups = find(world.data)
    if groups is None:
        pytest.skip("no control groups for this user on this machine")
    instance = await world.ready()
    kept = [base / instance.id for base in groups.bases()]
    assert all(folder.is_dir() for folder in kept)
    await world.driver.stop(instance.id, 0)
    await eventually(lambda: not any(folder.exists() for folder in kept), "the groups of an ended instance are gone")
    other = await world.ready()
    world.launcher.kill()
    await world.launcher.start()
    assert not any((base / other.id).exists() for base in groups.bases())
    world.launcher.stop()
    assert not any(base.exists() for base in groups.bases())


async def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    data = tmp_path / "d"
    socket = Path(f"/tmp/ffx-parent-{os.getpid()}") / "launcher.sock"
    command = [sys.executable, "-m", "faasioflex.runtime.launcher", "--data", str(data), "--socket", str(socket)]
    parent = subprocess.Popen(  # noqa: ASYNC220
        [
            sys.executable,
            "-c",
            "import os, subprocess, sys, time\n"
            "child = subprocess.Popen([*sys.argv[1:], '--parent', str(os.getpid())])\n"
            "print(child.pid, flush=True); time.sleep(1000)",
            *command,
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    await eventually(socket.exists, "the launcher serves")
    parent.kill()
    parent.wait()
    await eventually(lambda: not _alive(child), "it ended with its parent")
    parent.stdout.close()
    (socket.parent / "launcher.lock").unlink()
    (socket.parent / "i").rmdir()
    socket.parent.rmdir()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_process_mode_warns_loudly() -> None:
    async with launched("process") as world:
        assert isinstance(world.launcher, LauncherProcess)
        assert "NO ISOLATION" in world.launcher.log.read_text()
