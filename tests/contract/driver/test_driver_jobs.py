"""Jobs: the steps of builds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from faasioflex.model.errors import StartFailed, Unavailable
from faasioflex.model.function import MIB
from faasioflex.runtime.language import INSIDE, language
from faasioflex.runtime.port import Bind
from support.deadline import eventually
from support.launcher import World, job


async def _run(world: World, *argv: str, **changes: object) -> tuple[int | None, str, list[str]]:
    lines: list[str] = []
    ended = await world.driver.run(job(argv, **changes), lines.append)
    return ended.exit_code, ended.detail, lines


async def test_it_runs_to_its_end_and_its_lines_come_in_order(world: World) -> None:
    code, _, lines = await _run(world, "sh", "-c", "echo one; echo two >&2; echo three")
    assert (code, lines) == (0, ["one", "two", "three"])


async def test_its_exit_code_and_environment_are_its_own(world: World) -> None:
    code, detail, lines = await _run(world, "sh", "-c", "echo $COLOUR; exit 4", env={"COLOUR": "green"})
    assert (code, lines) == (4, ["green"])
    assert "exit code 4" in detail


async def test_lines_come_while_it_runs(world: World) -> None:
    lines: list[str] = []
    running = asyncio.create_task(world.driver.run(job(("sh", "-c", "echo early; sleep 1000")), lines.append))
    await eventually(lambda: lines == ["early"], "the first line")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_after_its_time_all_of_it_is_killed(world: World) -> None:
    code, detail, _ = await _run(world, "sh", "-c", "sleep 1000 & sleep 1000", timeout_s=0.5)
    assert code is None
    assert "0.5 s" in detail


async def test_over_its_memory_it_is_ended(world: World) -> None:
    eats = "a=[]\nwhile True: a.append(bytearray(b'x')*4_000_000)"
    start = language("python").start_argv(INSIDE)[0]
    code, detail, _ = await _run(world, start, "-I", "-c", eats, language="python", memory_bytes=64 * MIB)
    assert code is None
    assert "64 MiB of memory" in detail


async def test_it_writes_only_where_it_may(world: World) -> None:
    given, shown = world.data / "given", world.data / "shown"
    for folder in (given, shown):
        folder.mkdir()
    (given / "before").write_text("old")
    binds = (Bind(given, "/job/given", writable=True), Bind(shown, "/job/shown"))
    code, _, lines = await _run(world, "sh", "-c", "echo new > /job/given/made && cat /job/given/before", binds=binds)
    assert (code, lines) == (0, ["old"])
    made = given / "made"
    assert made.read_text() == "new\n"
    assert made.stat().st_uid == given.stat().st_uid == world.data.stat().st_uid


async def test_what_it_writes_is_bounded(world: World) -> None:
    folder = world.data / "given"
    folder.mkdir()
    fills = "i=0; while :; do head -c 1000000 /dev/zero > /job/$i; i=$((i+1)); done"
    binds = (Bind(folder, "/job", writable=True),)
    code, detail, _ = await _run(world, "sh", "-c", fills, binds=binds, disk_bytes=20 * MIB)
    assert code is None
    assert "20 MiB of disk" in detail


async def test_cancelled_it_is_gone(world: World) -> None:
    folder = world.data / "given"
    folder.mkdir()
    ticks = "while :; do date +%N > /job/tick; sleep 0.01; done"
    binds = (Bind(folder, "/job", writable=True),)
    running = asyncio.create_task(world.driver.run(job(("sh", "-c", ticks), binds=binds), lambda line: None))
    await eventually((folder / "tick").exists, "it runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: _rests(folder / "tick"), "nobody writes any more")


def _rests(path: Path) -> bool:
    """Whether a file that was written every 10 ms has not been for 20 looks."""
    first = path.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns == first for _ in range(20_000))


async def test_a_language_is_checked_with_its_own_runtime(world: World) -> None:
    code = world.code({"main.py": "def handle(event, context): return 1\n"}).code
    check = tuple(language("python").check_argv(INSIDE))
    env = {**language("python").environment_for(INSIDE), "FFX_CONFIG": '{"runtime": "python", "handler": null}'}
    binds = (Bind(code, "/ffx/code"), Bind(code, "/ffx/deps"))
    exit_code, _, lines = await _run(world, *check, env=env, cwd="/ffx/code", binds=binds, language="python")
    assert exit_code == 0, lines
    (code / "main.py").write_text("def handle(:\n")
    exit_code, _, lines = await _run(world, *check, env=env, cwd="/ffx/code", binds=binds, language="python")
    assert exit_code == 1
    assert "main.py" in "\n".join(lines)


async def test_a_command_that_is_not_there_says_so(world: World) -> None:
    code, detail, lines = await _run(world, "no-such-command-here")
    assert code != 0
    assert "no-such-command-here" in "\n".join([*lines, detail])


async def test_a_folder_that_is_not_there_is_said_so(world: World) -> None:
    with pytest.raises(StartFailed, match="/nowhere"):
        await _run(world, "true", binds=(Bind(Path("/nowhere"), "/job"),))


async def test_when_the_launcher_dies_it_is_unavailable(world: World) -> None:
    lines: list[str] = []
    running = asyncio.create_task(world.driver.run(job(("sh", "-c", "echo here; exec sleep 1000")), lines.append))
    await eventually(lambda: lines == ["here"], "it runs")
    world.launcher.kill()
    with pytest.raises(Unavailable):
        await running


async def test_one_file_is_its_way_out(world: World) -> None:
    out = world.data / "out"
    code, _, lines = await _run(world, "sh", "-c", "echo made >&3", output=out)
    assert (code, out.read_text()) == (0, "made\n"), lines
    assert out.stat().st_uid == world.data.stat().st_uid
    assert out.stat().st_mode & 0o7777 == 0o600


async def test_a_way_out_is_never_a_file_that_is_there(world: World) -> None:
    there = world.data / "there"
    there.write_text("old")
    with pytest.raises(StartFailed):
        await _run(world, "sh", "-c", "echo new >&3", output=there)
    (world.data / "link").symlink_to(there)
    with pytest.raises(StartFailed):
        await _run(world, "sh", "-c", "echo new >&3", output=world.data / "link")
    assert there.read_text() == "old"
