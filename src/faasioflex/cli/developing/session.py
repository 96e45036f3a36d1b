"""One run of ``ffx dev``: a loop of save, make, start, switch, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from faasioflex.bus.memory import MemoryBus
from faasioflex.cli.developing.front import HOST, Front
from faasioflex.cli.developing.instances import Instances
from faasioflex.cli.developing.making import Maker
from faasioflex.cli.developing.node import local_node
from faasioflex.cli.developing.project import SECRETS_FILE, Project, read_project
from faasioflex.cli.developing.screen import Screen
from faasioflex.cli.developing.told import Tell, ToldCalls
from faasioflex.invoker.call import Call
from faasioflex.model.errors import BuildFailed, FfxError, Invalid, StartFailed
from faasioflex.model.instance import BuiltCode, InstanceEnded
from faasioflex.runtime.registries import machine_registries
from faasioflex.runtime.toolchain.store import cache_folder

SOON_S = 2.0  # an instance that ends within it after it was ready is not started again by itself for ever
MOST_CRASHES = 3


class Session:
    """Made by :func:`session`. ``load`` brings what is in the folder now into service."""

    def __init__(self, project: Project, screen: Screen, url: str, copies: Path, *, env_file: Path | None) -> None:
        self.project = project
        self.url = url
        self.screen = screen
        self.instances: Instances
        self.maker: Maker
        self._env_file = env_file
        self._copies = copies
        self._number = 0
        self._soon = 0
        self._loading: asyncio.Task[bool] | None = None

    def reload(self, why: str) -> asyncio.Task[bool]:
        """Begin to load, in place of a load that is still under way. Whether it serves then."""
        before = self._loading
        self._loading = asyncio.create_task(self._after(before, why))
        return self._loading

    async def _after(self, before: asyncio.Task[bool] | None, why: str) -> bool:
        if before is not None and not before.done():
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        return await self._load(why)

    async def _load(self, why: str) -> bool:
        self._number += 1
        number, begun = self._number, time.monotonic()
        try:
            project = read_project(self.project.folder, self._env_file)
            if project.spec.function != self.project.spec.function:
                raise Invalid(f"it is {project.spec.function} now: start 'ffx dev' again for that name")
            self.project = project
            for line in project.skipped:
                self.screen.note(line)
            if project.missing:
                self.screen.note(
                    f"no value for the secrets {', '.join(project.missing)}: add NAME=value to {SECRETS_FILE}"
                )
            if self.instances.serving is None:
                await self.instances.hold(project.spec.limits, number)
            code = await self.maker.make(project, number, self.screen.build)
            self.screen.replaced = {f"{code.code}/": f"{project.folder}/", str(code.code): str(project.folder)}
            await self.instances.replace(project, code, number)
        except FfxError as error:
            await self._refused(error)
            return False
        self.screen.note(f"{why}: serves after {(time.monotonic() - begun) * 1000:.0f} ms")
        return True

    async def _refused(self, error: FfxError) -> None:
        """Say it, and go on with what there is."""
        what = {BuildFailed.code: "does not build", StartFailed.code: "does not start"}.get(
            error.code, "cannot be taken"
        )
        self.screen.error(f"{self.project.spec.function} {what}: {error.message}")
        for field in error.errors:
            if field.message not in error.message:
                self.screen.error(f"  {field.pointer}: {field.message}")
        if self.instances.serving is None:
            await self.instances.none_serves(f"{self.project.spec.function} {what}: {error.message.splitlines()[0]}")
            self.screen.note("waiting for a change")
        else:
            self.screen.note("what served before goes on; waiting for a change")

    def crashed(self, ended: InstanceEnded, after_s: float) -> None:
        """The one that serves is gone: another is started, unless that ends at once again and again."""
        self.screen.error(f"the instance has ended: {ended.detail}")
        self._soon = self._soon + 1 if after_s < SOON_S else 0
        if self._soon < MOST_CRASHES:
            self.reload("started again")
            return
        self._soon = 0
        self.screen.note(f"it ended {MOST_CRASHES} times at once; waiting for a change")
        self._loading = asyncio.create_task(self._give_up(ended.detail))

    async def _give_up(self, detail: str) -> bool:
        await self.instances.none_serves(f"the instance ends again and again: {detail}")
        return False

    def forget(self, code: BuiltCode) -> None:
        if code.code.is_relative_to(self._copies):
            shutil.rmtree(code.code, ignore_errors=True)

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self.instances.close()


@asynccontextmanager
async def session(
    project: Project, screen: Screen, listening: socket.socket, *, env_file: Path | None
) -> AsyncIterator[Session]:
    """Everything but the first load; nothing of it is left afterwards. Raises: Unavailable."""
    url = f"http://{HOST}:{listening.getsockname()[1]}"
    with (
        tempfile.TemporaryDirectory(prefix="ffx-dev-", ignore_cleanup_errors=True) as place,
        cache_of(project) as cache,
    ):
        folder = Path(place).resolve()
        bus = MemoryBus()
        copies = folder / "code"
        made = Session(project, screen, url, copies, env_file=env_file)
        async with local_node(folder) as driver:
            front = Front(bus, project.spec.function, ToldCalls(_teller(screen)))
            made.maker = Maker(
                bus, driver, copies=copies, cache=cache, registries=machine_registries(os.environ, Path.home())
            )  # fmt: skip
            made.instances = Instances(
                driver, front, url=url, on_line=screen.line, crashed=made.crashed, gone=made.forget
            )  # fmt: skip
            following = asyncio.create_task(made.instances.follow())
            try:
                await front.start(listening)
                yield made
            finally:
                await front.stop()
                await made.stop()
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                await bus.close()


@contextmanager
def cache_of(project: Project) -> Iterator[Path]:
    """Where builds and packages of this folder are kept; another run of it at the same time gets a folder for once."""
    key = hashlib.sha256(str(project.folder).encode()).hexdigest()[:16]
    place = cache_folder() / "dev" / key
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with tempfile.TemporaryDirectory(prefix="ffx-dev-builds-", ignore_cleanup_errors=True) as once:
                yield Path(once).resolve()
            return
        yield place
    finally:
        os.close(lock)


def _teller(screen: Screen) -> Tell:
    def tell(call: Call, status: int | None, took_ms: float) -> None:
        with contextlib.suppress(ValueError, OSError):  # nobody reads the screen any more
            screen.call(call.method, call.target.path, status, took_ms, call.request_id)

    return tell
