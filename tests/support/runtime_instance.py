"""An instance of a language's runtime as a plain process: started, asked and ended as a node would, without a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from faasioflex.runtime.language import Language, Places
from faasioflex.runtime.toolchain import ensure_async
from support.deadline import eventually
from support.go_functions import compiled

FUNCTIONS = Path(__file__).parents[1] / "contract" / "runtime" / "functions"
_SHIM = """
import os, sys
listen, report, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
if listen >= 0:
    os.dup2(listen, 103), os.dup2(report, 104)
    os.dup2(103, 3), os.dup2(104, 4)
else:
    os.dup2(report, 104), os.dup2(104, 4)
os.closerange(5, 256)
os.execve(argv[0], argv, os.environ)
"""


@dataclass(frozen=True)
class Log:
    stream: str
    message: str
    request_id: str | None


@dataclass
class RuntimeInstance:
    process: asyncio.subprocess.Process
    path: str
    port: int | None = None
    ready: bool = False
    log: list[Log] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def client(self, **options: Any) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=self.path)
        return httpx.AsyncClient(transport=transport, base_url="http://function.test", timeout=20, **options)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path)

    def messages(self, request_id: str | None) -> list[str]:
        return [one.message for one in self.log if one.request_id == request_id]

    async def logged(self, message: str, request_id: str | None) -> None:
        """Wait for a line of the log that holds ``message`` and belongs to ``request_id``."""
        await eventually(
            lambda: any(message in one for one in self.messages(request_id)), f"{message!r} in {self.log} {self.raw}"
        )

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, within_s: float = 15) -> int:
        return await asyncio.wait_for(self.process.wait(), within_s)


@asynccontextmanager
async def run_instance(
    language: Language,
    code: Path,
    *,
    deps: Path | None = None,
    env: dict[str, str] | None = None,
    listen: str = "fd",
    wait: bool = True,
    **config: Any,
) -> AsyncIterator[RuntimeInstance]:
    """Start it; ``config`` is FFX_CONFIG. ``listen``: ``fd`` (handed in), ``port`` or ``socket``. Ended at the end, by its pid."""
    with tempfile.TemporaryDirectory(prefix="ffx-") as folder:
        path = f"{folder}/s"
        settings: dict[str, Any] = {"runtime": language.name, "handler": None, "timeout_s": 10, "concurrency": 10}
        settings |= {"payload_bytes": 1024 * 1024} | config
        places = await _places(language, code, deps)
        environment = {
            "PATH": os.environ["PATH"],
            "FFX_CONFIG": json.dumps(settings),
            "FFX_NAMESPACE": "acme",
            "FFX_FUNCTION": "hello",
            "FFX_REVISION": "7",
            "FFX_REPORT_FD": "4",
            **language.environment_for(places),
            **(env or {}),
        }
        listener, port = _listen(listen, path, environment)
        report_read, report_write = os.pipe()
        fds = [report_write, *([listener.fileno()] if listener else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", _SHIM, str(listener.fileno() if listener else -1), str(report_write),
            *language.start_argv(places),
            env=environment, cwd=code, pass_fds=fds, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 20,
        )  # fmt: skip
        os.close(report_write)
        if listener:
            listener.close()
        instance = RuntimeInstance(process, path, port)
        readers = [asyncio.create_task(_read_report(report_read, instance)), asyncio.create_task(_read_raw(instance))]
        try:
            if wait:
                await eventually(lambda: instance.ready or process.returncode is not None, "a report or an end", 20)
                assert instance.ready, (process.returncode, instance.raw)
            yield instance
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it ends by itself at this moment
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            for reader in readers:
                await asyncio.wait_for(reader, 10)


async def _places(language: Language, code: Path, deps: Path | None) -> Places:
    need = language.run_toolchain
    if deps is None and language.packages == "go" and (code / "go.mod").exists():
        deps = await asyncio.to_thread(compiled, code)
    toolchain = str((await ensure_async(need, print)).root) if need else None
    return Places(str(language.folder), str(code), str(deps) if deps else None, toolchain)


def _listen(how: str, path: str, environment: dict[str, str]) -> tuple[socket.socket | None, int | None]:
    if how == "port":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        environment["PORT"] = str(port)
        return None, port
    if how == "socket":
        environment["FFX_SOCKET"] = path
        return None, None
    environment["LISTEN_FDS"] = "1"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    return listener, None


async def _read_report(fd: int, instance: RuntimeInstance) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    pipe = os.fdopen(fd, "rb")
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        while line := await reader.readline():
            document = json.loads(line)
            if document.get("ready"):
                instance.ready = True
            else:
                instance.log.append(Log(**document["log"]))
    finally:
        transport.close()


async def _read_raw(instance: RuntimeInstance) -> None:
    assert instance.process.stdout is not None
    while line := await instance.process.stdout.readline():
        instance.raw.append(line.decode("utf-8", "replace").rstrip("\n"))


async def run_check(
    language: Language, code: Path, *, handler: str | None = None, deps: Path | None = None
) -> tuple[int, str]:
    """Exit code and output of the check that a build makes."""
    places = await _places(language, code, deps)
    process = await asyncio.create_subprocess_exec(
        *language.check_argv(places),
        env={"PATH": os.environ["PATH"], "FFX_CONFIG": json.dumps({"runtime": language.name, "handler": handler})},
        cwd=code,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, output.decode()
