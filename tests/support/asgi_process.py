"""Starting ``asgi_instance`` as a process that ends with the tests."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from faasioflex.model.route import Endpoint
from support.deadline import eventually


class AsgiProcess:
    def __init__(self, path: Path, process: asyncio.subprocess.Process) -> None:
        self.endpoint = Endpoint(f"i-{process.pid:016x}", f"unix:{path}")
        self.process = process
        self.log = path.with_suffix(".log")

    async def kill(self) -> None:
        """kill -9."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def asgi_process(folder: Path, name: str, concurrency: int = 100) -> AsyncIterator[AsgiProcess]:
    path = folder / f"{name}.sock"
    with path.with_suffix(".log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("asgi_instance.py")),
            str(path),
            str(concurrency),
            stderr=log,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    made = AsgiProcess(path, process)
    try:
        await eventually(lambda: _answers(path), "the instance listens", 20)
        yield made
    finally:
        await made.kill()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
