"""The launcher put together: clean up after an earlier one, serve, watch, end everything at the end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from faasioflex.model.instance import EgressDenied, InstanceEnded, InstanceReady, LogLine
from faasioflex.runtime.children import Children
from faasioflex.runtime.egress.link import Link
from faasioflex.runtime.isolation import Isolation
from faasioflex.runtime.launcher import leftovers, wire
from faasioflex.runtime.launcher.backlog import Backlog
from faasioflex.runtime.launcher.bytecode import compile_runtimes
from faasioflex.runtime.launcher.folders import Folders, memory_folder
from faasioflex.runtime.launcher.instances import Instances
from faasioflex.runtime.launcher.jobs import Jobs
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.launcher.server import Server
from faasioflex.runtime.processes import ProcessTable

if TYPE_CHECKING:
    from faasioflex.runtime.launcher.pool.pool import Pool

_LOOK_EVERY_S = 0.25  # where the kernel keeps the memory limit
_WATCH_EVERY_S = 0.15  # where only we do
_LOOK_AT_MOST = 0.05  # share of our time that looking may take


@dataclass(frozen=True)
class Settings:
    data: Path
    socket: Path
    mode: Literal["sandbox", "process"]
    egress: Path | None = None  # the relay's socket; without one sandboxes have no way out
    memory: Path | None = None  # a tmpfs for instances' tokens and secrets; None: /dev/shm
    pool_bytes: int = 0  # memory that sandboxes may take which wait for a function; 0: none wait


def make_isolation(settings: Settings, children: Children, link: Link | None) -> Isolation:
    if settings.mode == "process":
        from faasioflex.runtime.process.isolation import Processes

        return Processes(children)
    from faasioflex.runtime.sandbox.sandbox import Sandboxes

    return Sandboxes(settings.data, settings.data / "run" / "sandbox", children, link)


class Launcher:
    """Raises (from ``start``): OSError where another launcher holds the folder or the machine has no sandboxes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backlog = Backlog(_dropped_line)
        self._children = Children()
        self._link: Link | None = None

    async def start(self) -> None:
        settings = self._settings
        settings.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(settings.socket.with_suffix(".lock"))
        ended = leftovers.end_processes(settings.data)
        sockets = settings.socket.parent / "i"
        stale = leftovers.remove_sockets(sockets)
        self._folders = Folders(memory_folder(settings.data, settings.memory))
        folders = self._folders.open()
        if ended or stale or folders:
            known = {"processes": ended, "sockets": stale, "folders": folders}
            log.warning("cleaned up after an earlier launcher", extra=known)
        compile_runtimes()
        self._children.start()
        if settings.egress is not None:
            self._link = Link(settings.egress)
            self._link.start()
        self._isolation = make_isolation(settings, self._children, self._link)
        if self._isolation.warning:
            log.warning(self._isolation.warning)
        self._pool = self._make_pool(sockets)
        self._instances = Instances(self._isolation, settings.data, sockets, self._folders, self._emit, pool=self._pool)
        self._jobs = Jobs(self._isolation, settings.data)
        self._server = Server(settings.mode, self._instances, self._jobs, self._backlog, self._pool)
        await self._server.start(settings.socket)
        if self._pool is not None:
            self._pool.start()
        self._watch = asyncio.create_task(self._look())
        log.info("launcher is ready", extra={"mode": settings.mode, "socket": str(settings.socket)})

    async def stop(self) -> None:
        await self._server.stop()
        await asyncio.gather(self._instances.close(), self._jobs.close(), *([self._pool.close()] if self._pool else []))
        self._watch.cancel()
        self._folders.close()
        self._isolation.close()
        if self._link is not None:
            await self._link.close()
        self._settings.socket.unlink(missing_ok=True)
        os.close(self._lock)

    def _make_pool(self, sockets: Path) -> Pool | None:
        settings = self._settings
        if settings.mode != "sandbox" or settings.pool_bytes == 0:
            return None
        from faasioflex.runtime.launcher.pool.pool import Pool
        from faasioflex.runtime.sandbox.sandbox import Sandboxes

        assert isinstance(self._isolation, Sandboxes)  # noqa: S101 - of this mode
        return Pool(self._isolation, settings.data, sockets, self._folders, settings.pool_bytes)

    def _emit(self, event: InstanceReady | InstanceEnded | EgressDenied | LogLine) -> None:
        if isinstance(event, LogLine):
            self._backlog.add_line(event.instance, wire.of_line(event))
        elif isinstance(event, InstanceReady):
            self._backlog.add(wire.of_ready(event))
        elif isinstance(event, EgressDenied):
            self._backlog.add(wire.of_denied(event))
        else:
            self._backlog.add(wire.of_ended(event))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            busy = len(self._instances) + len(self._jobs) > 0
            table = ProcessTable.scan() if busy and self._isolation.needs_process_table else ProcessTable({})
            self._instances.look(table)
            self._jobs.look(table)
            self._isolation.tidy()
            least_s = _WATCH_EVERY_S if self._isolation.needs_process_table else _LOOK_EVERY_S
            await asyncio.sleep(max(least_s, (loop.time() - begun) / _LOOK_AT_MOST))


def _dropped_line(one: wire.Json, lines: int) -> wire.Json:
    message = f"{lines} lines dropped: they were not collected in time"
    return {**one, "stream": "platform", "message": message, "request_id": None}


async def serve(settings: Settings, parent: int | None) -> None:
    """Run until SIGTERM or SIGINT, or until ``parent`` (a pid) has ended."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if parent is not None:
        _follow_parent(parent, over)
    launcher = Launcher(settings)
    await launcher.start()
    await over.wait()
    await launcher.stop()


def _follow_parent(parent: int, over: asyncio.Event) -> None:
    if os.getppid() != parent:
        over.set()
    elif hasattr(os, "pidfd_open"):
        asyncio.get_running_loop().add_reader(os.pidfd_open(parent), over.set)


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(f"another launcher serves {path.parent}: end it first") from error
    return descriptor
