"""A real launcher process with a data folder of its own, a driver connected to it, and what its events told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from faasioflex.model.function import MIB, Limits, Network
from faasioflex.model.instance import (
    BuiltCode,
    EgressDenied,
    Instance,
    InstanceEnded,
    InstanceReady,
    InstanceSpec,
    LogLine,
)
from faasioflex.model.names import FunctionName
from faasioflex.runtime.connection import Connection
from faasioflex.runtime.driver import LauncherDriver
from faasioflex.runtime.launcher.folders import memory_folder
from faasioflex.runtime.port import JobSpec
from support.deadline import awaited, eventually
from support.part_process import PartProcess

FOREIGN_GROUP = 4242  # as root the launcher has it, as if root were in some group of the machine: no sandbox may
FUNCTION = FunctionName("acme", "probe")
PROBE = {
    # Executes the Python that it is sent and answers what that leaves in `result`.
    "main.py": (
        "import traceback\n"
        "def handle(event, context):\n"
        "    names = {'context': context}\n"
        "    try:\n"
        "        exec(event.text(), names)\n"
        "    except BaseException:\n"
        "        return {'error': traceback.format_exc()}\n"
        "    return {'result': names.get('result')}\n"
    )
}


class LauncherProcess(PartProcess):
    """``python -m faasioflex.runtime.launcher`` on ``data``."""

    def __init__(self, data: Path, mode: str, *options: str) -> None:
        self.data = data
        self.mode = mode
        self.options = options
        self.socket = data / "run" / "launcher.sock"
        self.log = data / "launcher.log"

    async def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = ["-m", "faasioflex.runtime.launcher", "--data", str(self.data), "--socket", str(self.socket)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, *command, "--mode", self.mode, "--parent", str(os.getpid()), *self.options],
                stderr=log,
                env={**os.environ, "FFX_DATA": str(self.data)},
                extra_groups=[os.getgid(), FOREIGN_GROUP] if os.geteuid() == 0 else None,
            )
        await eventually(self._serves, "the launcher serves", 30)

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with socket.socket(socket.AF_UNIX) as trial:
            return trial.connect_ex(str(self.socket)) == 0


@dataclass
class Seen:
    """What the events have told so far."""

    ready: list[str] = field(default_factory=list)
    ended: dict[str, InstanceEnded] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    denied: list[EgressDenied] = field(default_factory=list)

    def take(self, event: InstanceReady | InstanceEnded | EgressDenied | tuple[LogLine, ...]) -> None:
        if isinstance(event, InstanceReady):
            self.ready.append(event.id)
            self.order.append(f"ready {event.id}")
        elif isinstance(event, InstanceEnded):
            self.ended[event.id] = event
            self.order.append(f"ended {event.id}")
        elif isinstance(event, EgressDenied):
            self.denied.append(event)
        else:
            self.lines += event
            self.order += [f"line {line.instance}" for line in event]

    def messages(self, instance: str, *streams: str) -> list[str]:
        return [
            line.message
            for line in self.lines
            if line.instance == instance and line.stream in (streams or (line.stream,))
        ]


class World:
    def __init__(self, launcher: LauncherProcess, *, pooled: bool = False) -> None:
        self.launcher = launcher
        self.pooled = pooled
        self.data = launcher.data
        self.driver = LauncherDriver(launcher.socket)
        self.seen = Seen()
        self._collecting: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        self._collecting = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async with self.driver.events() as events:
            async for event in events:
                self.seen.take(event)

    async def forget(self) -> None:
        """What kill -9 of a manager leaves: no connection, nothing remembered."""
        if self._collecting is not None:
            self._collecting.cancel()
            await asyncio.gather(self._collecting, return_exceptions=True)
        await self.driver.close()

    async def another_manager(self) -> None:
        await self.forget()
        self.driver, self.seen = LauncherDriver(self.launcher.socket), Seen()
        await self.listen()

    def code(self, files: dict[str, str]) -> BuiltCode:
        folder = self.data / "builds" / secrets.token_hex(4)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return BuiltCode(folder, None)

    def spec(
        self, files: dict[str, str] | None = None, *, limits: Limits | None = None, **changes: Any
    ) -> InstanceSpec:
        values: dict[str, Any] = {
            "id": f"i-{secrets.token_hex(8)}",
            "function": FUNCTION,
            "function_uid": "u-1",
            "revision": 1,
            "runtime": "python",
            "handler": None,
            "env": {},
            "limits": limits or Limits(),
            "network": Network(),
            "platform_url": None,
            "files": changes.pop("given", {}),
            **changes,
        }
        return InstanceSpec(code=values.pop("code", None) or self.code(files or PROBE), **values)

    async def pool(self) -> dict[str, Any]:
        """What the launcher tells of its pool."""
        connection = await Connection.open(self.launcher.socket)
        try:
            return cast("dict[str, Any]", await connection.call("pool", {}))
        finally:
            await connection.close()

    async def sandbox_of(self, instance: Instance) -> str:
        """What ``FFX_INSTANCE`` is in the environment of its processes, as seen from outside."""
        pool = await self.pool()
        return str(pool["used"].get(instance.id, instance.id)) if pool else instance.id

    async def warm(self, spares: int = 1, language: str = "python") -> dict[str, Any]:
        """Wait for spares of a language; what is told then."""

        async def there() -> bool:
            return (await self.pool())["warm"].get(language, 0) >= spares

        await awaited(there, f"there are {spares} warm spares of {language}")
        return await self.pool()

    async def start(self, files: dict[str, str] | None = None, **changes: Any) -> Instance:
        if self.pooled:
            await self.warm()
        return await self.driver.start(self.spec(files, **changes))

    async def ready(self, files: dict[str, str] | None = None, **changes: Any) -> Instance:
        """Start an instance and wait until it is ready."""
        instance = await self.start(files, **changes)
        await eventually(lambda: instance.id in self.seen.ready or instance.id in self.seen.ended, "it is ready", 30)
        assert instance.id not in self.seen.ended, self.seen.ended[instance.id]
        return instance

    async def end_of(self, instance: str, within_s: float = 30.0) -> InstanceEnded:
        await eventually(lambda: instance in self.seen.ended, "its end is told", within_s)
        return self.seen.ended[instance]


def client(instance: Instance) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=instance.address.removeprefix("unix:"))
    return httpx.AsyncClient(transport=transport, base_url="http://instance", timeout=60)


async def inside(instance: Instance, source: str, *, headers: dict[str, str] | None = None) -> Any:
    """Run Python inside an instance of ``PROBE``; returns its ``result``."""
    async with client(instance) as http:
        answer = await http.post("/", content=source, headers={"content-type": "text/plain", **(headers or {})})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert "error" not in content, content["error"]
    return content["result"]


def job(argv: tuple[str, ...], **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "id": f"j-{secrets.token_hex(8)}",
        "argv": argv,
        "env": {},
        "cwd": "/tmp",
        "binds": (),
        "network": False,
        "timeout_s": 60.0,
        "memory_bytes": 256 * MIB,
        "disk_bytes": 64 * MIB,
        "processes": 64,
        **changes,
    }
    return JobSpec(**values)


@contextlib.asynccontextmanager
async def launched(
    mode: str, *, prepare: Callable[[Path], None] = lambda data: None, pool_bytes: int = 0
) -> AsyncIterator[World]:
    """A launcher and a driver that listens; nothing of either is left afterwards. With a pool, every start waits for a spare."""
    data = Path(tempfile.mkdtemp(prefix="ffx-", dir="/tmp")).resolve()
    prepare(data)
    launcher = LauncherProcess(data, mode, *(("--pool", str(pool_bytes)) if pool_bytes else ()))
    world = World(launcher, pooled=pool_bytes > 0)
    try:
        await launcher.start()
        await world.listen()
        yield world
    finally:
        await world.forget()
        launcher.stop()
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(memory_folder(data), ignore_errors=True)
