"""``ffx dev`` in the foreground: a session, its watcher, its keys; and one call for ``--send``."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx

from faasioflex.cli.developing.front import listen
from faasioflex.cli.developing.keys import can_ask, keys
from faasioflex.cli.developing.project import read_project
from faasioflex.cli.developing.samples import Sample, find_sample, read_samples
from faasioflex.cli.developing.screen import Screen
from faasioflex.cli.developing.session import Session, session
from faasioflex.cli.developing.watching import saves
from faasioflex.model.errors import BadRequest, StartFailed

SHOWN_BODY = 2000  # characters of an answer to a key
MOST_NAMED = 3


async def develop(folder: Path, port: int | None, env_file: Path | None) -> None:
    """Until SIGINT or SIGTERM. Raises: FfxError where it cannot begin."""
    project = read_project(folder, env_file)
    screen = Screen()
    over = _told_to_stop()
    async with session(project, screen, listen(port), env_file=env_file) as running:
        _greet(running)
        watching = asyncio.create_task(_watch(running, over))
        running.reload("started")
        with ExitStack() as stack:
            if can_ask():
                stack.enter_context(keys(_Keys(running, over).pressed))
            await over.wait()
        screen.note("stopping")
        await asyncio.gather(watching, return_exceptions=True)


async def send_once(folder: Path, name: str, env_file: Path | None) -> bool:
    """Start the function, send it the sample ``name``, print its answer to stdout. Whether that is no error.

    Raises: BadRequest for an unknown sample, StartFailed where the function does not serve, Unavailable.
    """
    project = read_project(folder, env_file)
    sample = find_sample(folder, name)
    screen = Screen(sys.stderr)
    async with session(project, screen, listen(0), env_file=env_file) as running:
        if not await running.reload("started"):
            raise StartFailed(f"{project.spec.function} does not serve: see above")
        answer = await _send(running, sample)
        sys.stdout.buffer.write(answer.content)
        sys.stdout.flush()
        return answer.status_code < 400


def _told_to_stop() -> asyncio.Event:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    return over


def _greet(running: Session) -> None:
    project, screen = running.project, running.screen
    function = project.spec.function
    screen.plain(f"{function} ({project.spec.runtime}) from {project.folder}")
    screen.plain(f"  {running.url}  and  {running.url}/f/{function}")
    if project.from_file:
        screen.plain(f"  {project.env_file.name} sets {', '.join(project.from_file)}")
    screen.plain("  no sandbox: it runs as you, with your files and your network. Ctrl-C ends it.")
    try:
        samples = read_samples(project.folder)
    except BadRequest as error:
        screen.error(error.message)
        samples = []
    if samples:
        ask = can_ask()
        screen.plain("Sample requests" + (" (press the number; r reloads, q ends):" if ask else ":"))
        for number, sample in enumerate(samples, 1):
            screen.plain(f"  {number}  {sample.name:<16} {sample.curl(running.url)}")
    screen.plain()


async def _watch(running: Session, over: asyncio.Event) -> None:
    folder = running.project.folder
    async for paths in saves(folder, running.project.env_file, over):
        more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
        running.reload(f"{', '.join(paths[:MOST_NAMED])}{more} changed")


async def _send(running: Session, sample: Sample) -> httpx.Response:
    timeout = running.project.spec.limits.timeout_s + 5
    async with httpx.AsyncClient(base_url=running.url, timeout=timeout, trust_env=False) as client:
        return await client.request(sample.method, sample.path, headers=list(sample.headers), content=sample.body)


class _Keys:
    def __init__(self, running: Session, over: asyncio.Event) -> None:
        self._running = running
        self._over = over
        self._tasks: set[asyncio.Task[None]] = set()

    def pressed(self, key: str) -> None:
        if key == "q":
            self._over.set()
        elif key == "r":
            self._running.reload("reloaded")
        elif key.isdecimal() and key != "0":
            task = asyncio.create_task(self._send(int(key)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, number: int) -> None:
        screen = self._running.screen
        try:
            samples = read_samples(self._running.project.folder)
            if number > len(samples):
                screen.error(f"there are {len(samples)} sample requests")
                return
            answer = await _send(self._running, samples[number - 1])
        except BadRequest as error:
            screen.error(error.message)
        except httpx.HTTPError as error:
            screen.error(f"the call broke: {error or type(error).__name__}")
        else:
            screen.plain(answer.text[:SHOWN_BODY])
