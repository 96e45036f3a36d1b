"""The token and the secrets of instances: files in memory, that are renewed while they run and go with them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from faasioflex.model.errors import BadRequest
from faasioflex.runtime.launcher.folders import memory_folder
from support.deadline import eventually
from support.launcher import inside

SECRET = b"correct horse battery"
FILES = {"token": b"first.token", "secrets/db-password": SECRET, "secrets/bytes": b"\x00\xff"}
LOOK = """
import os
folder = os.environ['FFX_SECRETS_DIR']
result = {
    'token': context.token(),
    'secret': context.secret('db-password'),
    'bytes': list(context.secret_bytes('bytes')) if os.path.exists(folder + '/bytes') else None,
    'names': sorted(os.listdir(folder)),
    'modes': [oct(os.stat(p).st_mode & 0o777) for p in (folder + '/db-password', os.environ['FFX_TOKEN_FILE'])],
}
"""


SAY = """
import sys
print('the', context.secret('db-password'), context.token())
sys.stderr.write('x' * 16380 + context.secret('db-password'))
result = 1
"""


def folders_of(world) -> list[Path]:
    """Of this launcher's instances, as the host sees them."""
    return [path for path in Path("/dev/shm").glob(f"ffx-{os.geteuid()}-*/i-*") if path.parent == base_of(world)]


def base_of(world) -> Path:
    return memory_folder(world.data.resolve())


async def test_they_are_files_that_only_the_instance_reads(world):
    instance = await world.ready(given=FILES)
    found = await inside(instance, LOOK)
    assert found == {
        "token": "first.token",
        "secret": SECRET.decode(),
        "bytes": [0, 255],
        "names": ["bytes", "db-password"],
        "modes": ["0o400", "0o400"],
    }
    [folder] = folders_of(world)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, (path, oct(mode))


async def test_changes_show_in_a_running_instance_and_names_go(world):
    instance = await world.ready(given=FILES)
    await world.driver.give(instance.id, {"token": b"second.token", "secrets/db-password": b"battery staple"})
    found = await inside(instance, LOOK)
    assert (found["token"], found["secret"], found["names"]) == ("second.token", "battery staple", ["db-password"])
    await world.driver.give("i-0000000000000000", FILES)  # an unknown one is no error


@pytest.mark.parametrize("place", ["secrets/../../x", "secrets/..", "/etc/passwd", "secrets/.x", "x", "secrets/a/b"])
async def test_nothing_is_written_elsewhere(world, place):
    instance = await world.ready(given=FILES)
    with pytest.raises(BadRequest):
        await world.driver.give(instance.id, {place: b"x"})
    assert (await inside(instance, LOOK))["secret"] == SECRET.decode()


async def test_they_go_with_the_instance(world):
    instance = await world.ready(given=FILES)
    assert len(folders_of(world)) == 1
    await world.driver.stop(instance.id, 0)
    assert folders_of(world) == []


async def test_what_a_killed_launcher_left_is_removed_at_the_next_start(world):
    await world.ready(given=FILES)
    await world.forget()
    world.launcher.kill()
    assert len(folders_of(world)) == 1
    await world.launcher.start()
    assert folders_of(world) == []


async def test_values_are_masked_in_the_log_and_are_in_no_environment(world):
    instance = await world.ready(given=FILES)
    await inside(instance, SAY)
    await eventually(lambda: any("***" in one for one in world.seen.messages(instance.id)), "the line", 10)
    await world.driver.give(instance.id, FILES | {"secrets/db-password": b"another value"})
    await inside(instance, "print(context.secret('db-password'), 'correct horse battery')\nresult = 1")
    await eventually(lambda: "*** ***" in world.seen.messages(instance.id), "the line", 10)
    log = json.dumps([line.message for line in world.seen.lines])
    for value in ("correct horse", "first.token", "another value"):
        assert value not in log
    hidden = [value for value in FILES.values() if len(value) > 6]
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try:
                content = (process / name).read_bytes()
            except OSError:
                continue
            if str(os.getpid()) != process.name:
                assert not any(value in content for value in hidden), process
    assert SECRET.decode() not in world.launcher.log.read_text()
