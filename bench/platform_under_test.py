"""A platform of the benchmark's own, in a folder of its own, started and stopped as people do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.caller import Caller, once
from bench.servers import cpu_s
from faasioflex.client import Client, Function
from faasioflex.model.errors import FfxError
from faasioflex.model.instance import Instance
from faasioflex.platform.folder import DataFolder
from faasioflex.runtime.driver import LauncherDriver
from faasioflex.runtime.processes import ProcessTable

Figure = TypeVar("Figure", int, float)
FFX = Path(sys.executable).parent / "ffx"
WITHIN_S = 120.0
NAMESPACE = "admin"
# For measuring the platform and not a limit: a whole core, and more calls at once than there are connections.
UNLIMITED = {"cpu": 2, "concurrency": 100, "memory_bytes": 256 * 1024 * 1024, "queue": 500}


@dataclass(frozen=True)
class Built:
    """What a deployed function runs from."""

    code: Path
    deps: Path | None


class Platform:
    """``client`` speaks to it; ``data`` is its folder."""

    def __init__(self, data: Path, client: Client, url: str) -> None:
        self.data = data
        self.folder = DataFolder.at(data)
        self.client = client
        self.url = url

    @property
    def token(self) -> str:
        """The local admin's, as it is now."""
        return self.folder.admin_token.read_text().strip()

    def caller(self, name: str) -> Caller:
        """Of the function, through the gateway."""
        return Caller(self.function_url(name), self.token)

    def once(self, name: str) -> tuple[float, bytes]:
        """A call through the gateway on a connection of its own, whose making counts."""
        return once(self.function_url(name), self.token)

    def function_url(self, name: str) -> str:
        return f"{self.url}/f/{NAMESPACE}/{name}"

    def deploy(self, name: str, runtime: str, files: dict[str, str], **fields: Any) -> Built:
        """Register and wait until it is ready.

        Raises: RuntimeError where it does not become that.
        """
        before = self._builds()
        document = {"name": name, "runtime": runtime, "source": {"files": files}, "limits": UNLIMITED, **fields}
        self.ready(self.client.register(document, wait_s=WITHIN_S))
        made = sorted(self._builds() - before)
        return self._built(self.folder.builds / "code" / made[0]) if made else Built(Path(), None)

    def _built(self, folder: Path) -> Built:
        content = json.loads((folder / "built.json").read_text())
        deps = {"none": None, "own": folder / "deps", "layer": self.folder.builds / "packages" / content["layer"]}
        return Built(folder / "code", deps[content["deps"]])

    def ready(self, function: Function) -> None:
        """Raises: RuntimeError where it is not."""
        latest = function.status.latest
        if function.status.state != "ready" or (latest is not None and latest.state == "failed"):
            raise RuntimeError(f"{function.name} is {function.status.state}: {function.status.message or latest}")

    def pids(self) -> dict[str, int]:
        """Of the platform's own processes, by their names, and the supervisor."""
        document = json.loads(self.folder.platform_json.read_text())
        return {**document["processes"], "supervisor": document["pid"]}

    def envoy_cpu_s(self) -> float:
        return cpu_s(self.pids()["envoy"])

    def instances(self, name: str) -> list[Instance]:
        """Running ones of a function."""
        return [one for one in asyncio.run(self.observe()) if one.function.name == name and one.state == "ready"]

    def instance_cpu_s(self, name: str) -> float:
        used = asyncio.run(self._usage())
        return sum(used[one.id][1] for one in self.instances(name) if one.id in used)

    def to_zero(self, names: list[str]) -> None:
        """End all their instances and wait until none is left."""
        for name in names:
            self.client.scale(name, 0)
        until(lambda: all(self.client.get(name).status.state == "idle" for name in names), f"{names} idle")

    def pss_bytes(self, kind: str = "Pss") -> dict[str, int]:
        """Proportional memory of the platform's own processes by name; what has none of its own counts as ``other``.

        ``kind`` Pss_Anon: without files that are mapped, whose share depends on what else the machine runs.
        """
        return self._of_processes(lambda pid: _pss_bytes(pid, kind))

    def cpu_percent(self, seconds: float) -> dict[str, float]:
        """Of one core, by process, over so long; ``all`` is the sum."""
        before, began = self._of_processes(cpu_s), time.monotonic()
        time.sleep(seconds)
        after, took_s = self._of_processes(cpu_s), time.monotonic() - began
        found = {name: round(100 * (used - before.get(name, 0.0)) / took_s, 2) for name, used in after.items()}
        return {**found, "all": round(sum(found.values()), 2)}

    def _of_processes(self, figure: Callable[[int], Figure]) -> dict[str, Figure]:
        """Of the platform's own ones, without what runs in sandboxes. Those that end while they are looked at have nothing."""
        pids = self.pids()
        names = {pid: name for name, pid in pids.items()}
        table = ProcessTable.scan()
        inside = {one.pid for one in table.tree(pids["launcher"])} - {pids["launcher"]}
        found: dict[str, Figure] = {}
        for one in table.tree(pids["supervisor"]):
            if one.pid not in inside:
                name = names.get(one.pid, "other")
                with contextlib.suppress(OSError, StopIteration):
                    used = figure(one.pid)
                    found[name] = found[name] + used if name in found else used
        return found

    def _builds(self) -> set[str]:
        folder = self.folder.builds / "code"
        return (
            {one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")}
            if folder.is_dir()
            else set()
        )

    async def observe(self) -> list[Instance]:
        """All instances that the launcher has."""
        driver = LauncherDriver(self.folder.launcher_socket)
        try:
            return await driver.observe()
        finally:
            await driver.close()

    async def _usage(self) -> dict[str, tuple[int, float]]:
        driver = LauncherDriver(self.folder.launcher_socket)
        try:
            return await driver.usage()
        finally:
            await driver.close()


@contextlib.contextmanager
def running(data: Path) -> Iterator[Platform]:
    """Start it on a free port; stop it at the end.

    Raises: RuntimeError where it does not start.
    """
    ffx("up", "--data", str(data), "--port", "0", "--detach")
    try:
        url = json.loads((data / "run/platform.json").read_text())["gateway_url"]
        with Client(url, token=DataFolder.at(data).admin_token) as client:
            yield Platform(data, client, url)
    finally:
        ffx("down", "--data", str(data))


def _pss_bytes(pid: int, kind: str) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(f"{kind}:"))


def ffx(*arguments: str) -> None:
    done = subprocess.run([FFX, *arguments], capture_output=True, text=True, check=False, timeout=WITHIN_S)
    if done.returncode != 0:
        raise RuntimeError(f"ffx {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")


def until(holds: Callable[[], bool], what: str, every_s: float = 0.02) -> None:
    """Raises: RuntimeError where it takes too long."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        with contextlib.suppress(FfxError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WITHIN_S:g} s: {what}")
        time.sleep(every_s)
