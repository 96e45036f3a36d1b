"""How instances end, and what is told of it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from faasioflex.model.function import MIB, Limits
from faasioflex.model.instance import Instance
from support.deadline import eventually
from support.launcher import World, client, inside

LOOPS = {"main.py": "import time\ndef handle(event, context):\n    while True: time.sleep(0.01)\n"}
READS = {  # logs the body as it comes, answers its last piece
    "main.py": (
        "async def app(scope, receive, send):\n"
        "    piece, more = b'', True\n"
        "    while more:\n"
        "        message = await receive()\n"
        "        piece, more = message.get('body') or piece, message.get('more_body')\n"
        "        print(piece.decode(), flush=True)\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': piece})\n"
    )
}


def _refuses(instance: Instance) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(instance.address.removeprefix("unix:")) != 0


async def test_stopped_it_finishes_what_it_has_and_refuses_the_rest(world: World) -> None:
    instance = await world.ready(READS)
    more = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        await more.wait()
        yield b"finished"

    async with client(instance) as http:
        call = asyncio.create_task(http.post("/", content=body()))
        await eventually(lambda: "begun" in world.seen.messages(instance.id), "the call is inside")
        stop = asyncio.create_task(world.driver.stop(instance.id, 30))
        await eventually(lambda: _refuses(instance), "nothing new comes in")
        more.set()
        await stop
        assert (await call).text == "finished"
        with pytest.raises(httpx.ConnectError):
            await http.get("/again")
    ended = await world.end_of(instance.id)
    assert (ended.reason, ended.was_ready) == ("stopped", True)
    assert await world.driver.observe() == []
    assert not Path(instance.address.removeprefix("unix:")).exists()


async def test_after_the_grace_it_is_killed(world: World) -> None:
    instance = await world.ready(LOOPS)
    async with client(instance) as http:
        call = asyncio.create_task(http.get("/"))
        await asyncio.wait_for(world.driver.stop(instance.id, 0.2), 10)
        with pytest.raises(httpx.HTTPError):
            await call
    assert (await world.end_of(instance.id)).reason == "stopped"


async def test_without_a_grace_it_is_gone_at_once(world: World) -> None:
    instance = await world.ready()
    await world.driver.stop(instance.id, 0)
    assert (await world.end_of(instance.id)).reason == "stopped"


async def test_an_unknown_id_is_no_error(world: World) -> None:
    await world.driver.stop("i-0000000000000000", 1)


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        ("import os; os._exit(3)", "exit", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed", "SIGKILL"),
        ("import os; os._exit(75)", "retired", "replaced"),
    ],
)
async def test_an_end_by_itself_has_its_reason(world: World, source: str, reason: str, words: str) -> None:
    instance = await world.ready()
    await inside(instance, "print('last words', flush=True); result = 1")
    await eventually(lambda: "last words" in world.seen.messages(instance.id), "its words")
    async with client(instance) as http:
        with pytest.raises(httpx.HTTPError):
            await http.post("/", content=source)
        ended = await world.end_of(instance.id)
        assert (ended.reason, ended.was_ready, ended.revision) == (reason, True, 1)
        assert words in ended.detail
        assert "last words" in ended.last_lines
        with pytest.raises(httpx.ConnectError):
            await http.get("/")


async def test_what_never_becomes_ready_ends_with_its_last_lines(world: World) -> None:
    instance = await world.start({"main.py": "raise RuntimeError('no database here')\n"})
    ended = await world.end_of(instance.id)
    assert not ended.was_ready
    assert ended.reason == "exit"
    assert any("no database here" in line for line in ended.last_lines)
    assert instance.id not in world.seen.ready


async def test_log_lines_come_before_the_end_and_with_their_request(world: World) -> None:
    instance = await world.ready()
    shout = "import sys; print('out'); print('err', file=sys.stderr)"
    await inside(instance, shout, headers={"x-request-id": "req-1"})
    await world.driver.stop(instance.id, 5)
    await world.end_of(instance.id)
    assert world.seen.order[-1] == f"ended {instance.id}"
    kept = {(line.stream, line.message): line for line in world.seen.lines}
    assert kept["stdout", "out"].request_id == "req-1"
    assert kept["stderr", "err"].request_id == "req-1"
    assert kept["stdout", "out"].function == instance.function


async def test_over_its_memory_it_is_ended_with_a_clear_sentence(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=96 * MIB))
    async with client(instance) as http:
        with pytest.raises(httpx.HTTPError):
            await http.post("/", content="a = []\nwhile True: a.append(bytearray(b'x') * 4_000_000)")
    ended = await world.end_of(instance.id)
    assert ended.reason == "out-of-memory"
    assert "96 MiB" in ended.detail


async def test_what_it_started_ends_with_it(world: World) -> None:
    instance = await world.ready()
    mark = f"ffx-child-{instance.id}"
    await inside(instance, f"import subprocess; subprocess.Popen(['sh', '-c', 'sleep 1000; : {mark}']); result = 1")
    assert _with(mark)
    os.kill(world.launcher.pid, 0)
    await world.driver.stop(instance.id, 0)
    await eventually(lambda: not _with(mark), "its child is gone")


async def test_when_the_launcher_is_killed_its_instances_are_gone(world: World) -> None:
    mark = f"FFX_INSTANCE={await world.sandbox_of(await world.ready())}"
    assert _with(mark)
    world.launcher.kill()
    await eventually(lambda: not _with(mark), "nothing of it is left")


async def test_a_launcher_that_comes_after_tells_what_was_lost(world: World) -> None:
    instance = await world.ready()
    world.launcher.kill()
    await world.launcher.start()
    ended = await world.end_of(instance.id)
    assert (ended.reason, ended.was_ready) == ("lost", True)
    assert await world.driver.observe() == []
    assert await inside(await world.ready(), "result = 'serves again'") == "serves again"


async def test_a_launcher_that_is_told_to_stop_ends_everything(world: World) -> None:
    mark = f"FFX_INSTANCE={await world.sandbox_of(await world.ready())}"
    assert _with(mark)
    assert world.launcher.stop() == 0
    assert not _with(mark)


def _with(mark: str) -> list[int]:
    """Processes that have ``mark`` in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in text:
                found.append(int(entry.name))
    return found
