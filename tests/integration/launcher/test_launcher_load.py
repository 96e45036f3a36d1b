"""Floods and crowds: the launcher stays small and answers."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.model.function import MIB
from faasioflex.runtime.launcher import backlog
from support.deadline import eventually
from support.launcher import World, inside, job

FLOOD = {
    "main.py": "import os\ndef handle(event, context):\n    exec(event.text(), {'os': os})\n    return {'result': 'done'}\n",
}


def _peak_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


async def test_while_no_manager_listens_lines_are_bounded_and_the_rest_is_told(world: World) -> None:
    """5 instances at their allowance of lines of 16 KiB hold more than the bound."""
    instances = await asyncio.gather(*(world.ready(FLOOD) for _ in range(5)))
    await world.forget()
    flood = "for n in range(480): os.write(1, b'x' * 16000 + b'\\n')"
    await asyncio.gather(*(inside(instance, flood) for instance in instances))
    await inside(instances[0], "os.write(1, b'the last words\\n')")
    await world.another_manager()
    await eventually(lambda: "the last words" in world.seen.messages(instances[0].id), "the last line", 20)
    kept = sum(len(line.message) for line in world.seen.lines)
    assert kept <= backlog.BOUND_BYTES
    told = [line.message for line in world.seen.lines if line.stream == "platform"]
    assert any("not collected in time" in message for message in told)
    counted = sum(int(message.split()[0]) for message in told)
    assert counted + sum(line.message.startswith("x") for line in world.seen.lines) == 5 * 480


@pytest.mark.slow
@pytest.mark.timeout(330)
async def test_half_a_gigabyte_of_output_does_not_hurt_it(world: World) -> None:
    before = _peak_bytes(world.launcher.pid)
    lines: list[str] = []
    loud = asyncio.create_task(
        world.driver.run(job(("sh", "-c", "yes 'a line of nothing' | head -c 500000000"), timeout_s=300), lines.append)
    )
    quiet = await world.ready()
    for _ in range(20):
        assert await inside(quiet, "print('word', flush=True); result = 1") == 1
    assert (await loud).exit_code == 0
    await eventually(lambda: world.seen.messages(quiet.id, "stdout").count("word") == 20, "the other's lines")
    assert any("lines dropped" in line for line in lines)
    assert _peak_bytes(world.launcher.pid) - before < 60 * MIB


async def test_a_new_manager_takes_over_from_one_that_hangs(world: World) -> None:
    """A connection that asked for events and reads none gets one batch, and loses its place to the next that asks."""
    await world.forget()
    _, writer = await asyncio.open_unix_connection(world.launcher.socket)
    writer.write(b'{"id": 1, "op": "events"}\n')
    before = _peak_bytes(world.launcher.pid)
    await world.another_manager()
    instance = await world.ready(FLOOD)
    await inside(instance, "for n in range(400): os.write(1, b'y' * 16000 + b'\\n')")
    await eventually(lambda: sum(line.message.startswith("y") for line in world.seen.lines) == 400, "all lines", 20)
    assert _peak_bytes(world.launcher.pid) - before < 60 * MIB
    writer.close()
