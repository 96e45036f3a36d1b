"""One child of the supervisor: started, watched, started again when it dies, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faasioflex.platform.supervisor.backoff import Backoff
from faasioflex.platform.supervisor.part_log import PartLog
from faasioflex.platform.supervisor.spawn import spawn

READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class ChildSpec:
    """``command`` is asked before every start, so that what it writes (configuration) is fresh. ``ready``: it serves."""

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    stop_s: float  # from SIGTERM to SIGKILL


class Child:
    """Lives in the loop of the main thread. ``on_change`` is called when the pid changes, ``on_death`` with a sentence."""

    def __init__(
        self,
        spec: ChildSpec,
        cwd: Path,
        log: PartLog,
        on_change: Callable[[], None],
        on_death: Callable[[str, str], None],
    ) -> None:
        self.spec = spec
        self.log = log
        self.deaths = 0  # since the supervisor began
        self._cwd = cwd
        self._on_change = on_change
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._pipe = os.pipe()  # one for all its lives
        os.set_blocking(self._pipe[0], False)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._pipe[0], self._read)
        self._task = asyncio.create_task(self._keep_alive(), name=f"child {self.spec.name}")

    def reap(self) -> None:
        """Look whether it has ended: called on SIGCHLD."""
        if self._process is not None and self._ended is not None and not self._ended.done():
            code = self._process.poll()
            if code is not None:
                self._ended.set_result(code)

    async def stop(self, hurry: asyncio.Event) -> None:
        """SIGTERM, then SIGKILL after ``stop_s`` or as soon as ``hurry`` is set. Returns when it is gone."""
        self._stopping = True
        if self._ended is not None and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            hurried: asyncio.Future[bool] = asyncio.ensure_future(hurry.wait())
            either: set[asyncio.Future[Any]] = {self._ended, hurried}
            await asyncio.wait(either, timeout=self.spec.stop_s, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            if not self._ended.done() and self.pid is not None:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                await asyncio.wait({self._ended}, timeout=2.0)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        asyncio.get_running_loop().remove_reader(self._pipe[0])
        self._read()
        for end in self._pipe:
            os.close(end)
        self.log.close()

    async def _keep_alive(self) -> None:
        backoff = Backoff()
        while not self._stopping:
            began = time.monotonic()
            how = await self._live()
            if self._stopping:
                return
            self.deaths += 1
            backoff, wait_s = backoff.died(time.monotonic() - began)
            self._on_death(self.spec.name, f"{how}; starts again in {wait_s:g} s")
            await asyncio.sleep(wait_s)

    async def _live(self) -> str:
        """One life; returns how it ended."""
        self._ended = asyncio.get_running_loop().create_future()
        try:
            self._process = spawn(self.spec.command(), self.spec.environment, self._cwd, self._pipe[1])
        except (OSError, subprocess.SubprocessError) as error:
            return f"cannot be started: {error}"
        self._on_change()
        self.reap()  # it may be gone before the signal found this future
        code = await self._ended
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._pipe[0], READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            self.log.write(data)
            if len(data) < READ_BYTES:
                return
