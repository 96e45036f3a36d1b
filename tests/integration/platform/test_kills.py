"""kill -9 of anything."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from faasioflex.bus import nats
from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.nats import NatsBus
from support.platform_process import Platform, environment, processes_with, wait_for

pytestmark = pytest.mark.slow  # all of them together

MakePlatform = Callable[..., Platform]
BACK_WITHIN_S = 20.0


async def connected(platform: Platform) -> NatsBus:
    address, user, password = platform.nats_credentials()
    return await nats.connect(address, user, password, name="test")


@pytest.mark.parametrize("name", ["nats", "envoy", "egress", "launcher", "control", "invoker"])
def test_a_killed_part_is_back_and_the_others_stay(platform: Platform, name: str) -> None:
    before = platform.pids
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: platform.pids.get(name, before[name]) != before[name], BACK_WITHIN_S, f"a new {name}")
    wait_for(platform.ready, BACK_WITHIN_S, "readiness")
    after = platform.pids
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    assert f"{name} was ended by SIGKILL" in platform.output()


async def test_a_killed_supervisor_takes_everything_along_and_the_next_start_has_all_data(
    new_platform: MakePlatform,
) -> None:
    platform = new_platform().start()
    bus = await connected(platform)
    await bus.objects(CODE_OBJECTS).put("kept", b"x" * 300_000)
    await bus.close()
    assert platform.process
    platform.process.kill()
    platform.process.wait()
    wait_for(lambda: not processes_with(platform.data), 5, "the end of all processes")
    assert platform.document()  # it had no time to remove it
    platform.start()
    bus = await connected(platform)
    assert await bus.objects(CODE_OBJECTS).get("kept") == b"x" * 300_000
    await bus.close()
    assert platform.ready()


async def test_what_nats_took_in_outlives_its_kill(platform: Platform) -> None:
    bus = await connected(platform)
    sequence = 0
    for number in range(200):
        sequence = await bus.append("ffx.log.test.kept", b"%d" % number)
    before = platform.pids["nats"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: platform.pids.get("nats", before) != before, BACK_WITHIN_S, "a new nats-server")
    wait_for(platform.ready, BACK_WITHIN_S, "readiness")
    async with bus.read("FFX_LOGS", "ffx.log.test.kept") as messages:
        found = [message async for message in messages]
    assert [message.data for message in found] == [b"%d" % number for number in range(200)]
    assert found[-1].sequence == sequence
    await bus.close()


@pytest.mark.parametrize("killed", ["supervisor", "launcher"])
def test_instances_die_with_their_platform_and_functions_come_back(new_platform: MakePlatform, killed: str) -> None:
    platform = new_platform().start()
    code = "def handle(event, context):\n    return 'here'\n"
    document = {"name": "hello", "runtime": "python", "source": {"files": {"main.py": code}}}
    registered = httpx.post(
        f"{platform.url}/functions/register?wait_s=60", json=document, timeout=90, auth=platform.auth
    )
    assert registered.json()["status"]["state"] == "ready", registered.text
    parts = {platform.document()["pid"], *platform.pids.values()}
    instances = processes_with(platform.data).keys() - parts
    assert instances
    if killed == "supervisor":
        assert platform.process
        platform.process.kill()
        platform.process.wait()
        wait_for(lambda: not processes_with(platform.data), 5, "the end of all processes")
        platform.start()
    else:
        os.kill(platform.pids["launcher"], signal.SIGKILL)
        wait_for(lambda: not instances & processes_with(platform.data).keys(), 5, "the end of the instances")
    answer = httpx.get(f"{platform.url}/f/admin/hello", timeout=30, auth=platform.auth)
    assert (answer.status_code, answer.text) == (200, "here")
    assert platform.stop() == 0


@contextmanager
def sleeping(**marks: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "300"], env=environment(**marks))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_next_start_ends_what_was_left_and_nothing_else(new_platform: MakePlatform) -> None:
    platform = new_platform()
    data = str(platform.data)
    with (
        sleeping(FFX_DATA=data, FFX_PART="launcher") as part,
        sleeping(FFX_DATA=data, FFX_INSTANCE="i-1") as instance,
        sleeping(FFX_DATA=data) as shell,  # somebody who works with the platform
        sleeping(FFX_DATA=data + "2", FFX_PART="launcher") as neighbour,
    ):
        platform.start()
        assert part.wait(5) == -signal.SIGKILL
        assert instance.wait(5) == -signal.SIGKILL
        assert shell.poll() is None
        assert neighbour.poll() is None
        assert "left behind" in platform.output()
        platform.end()
