"""Calls without pause while everything changes and everything is killed: nothing is lost. Prints what happened."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from support.callers import Tally, calling
from support.platform_process import Platform
from support.sandboxes import in_use

DEPLOYS, ROLLBACKS, ZEROES, INSTANCE_KILLS = 50, 20, 10, 20
NAME = "admin/steady"
CODE = """
import asyncio
async def handle(event, context):
    await asyncio.sleep(0.005)
    return {"revision": context.revision, "body": event.json() if event.body else None, "generation": GENERATION}
GENERATION = %d
"""

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]


class Operator:
    """Whoever changes and kills things. ``at`` is where the API is."""

    def __init__(self, platform: Platform, tally: Tally) -> None:
        self.platform = platform
        self.tally = tally
        self.api = platform.async_client(timeout=90.0)

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Repeated while a part is away, as any client would."""
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = await self.api.request(method, path, json=body)
                if answer.status_code != 503:
                    assert answer.is_success, answer.text
                    return answer.json()
                problem = answer.text
            except httpx.TransportError as error:
                problem = repr(error)
            assert time.monotonic() < deadline, problem
            await asyncio.sleep(0.05)

    async def register(self) -> None:
        body = {"name": "steady", "runtime": "python", "source": {"files": {"main.py": CODE % 0}}}
        body |= {"scaling": {"max_instances": 3}}
        made = await self.request("POST", "/functions/register?wait_s=60", body)
        assert made["status"]["state"] == "ready", made

    async def deploy(self, number: int) -> None:
        body = (
            {"source": {"files": {"main.py": CODE % number}}} if number % 10 == 0 else {"env": {"NUMBER": str(number)}}
        )
        made = await self.request("PATCH", f"/functions/{NAME}?wait_s=60", body)
        assert made["status"]["latest"]["state"] == "ready", made["status"]

    async def roll_back(self) -> None:
        await self.request("POST", f"/functions/{NAME}/rollback?wait_s=60", {})
        await self.served()

    async def to_zero(self) -> None:
        """Every instance that runs now is gone afterwards, however busy it is."""
        await self.served()
        await self.until(lambda: bool(self.servers()), "an instance to stop")
        before = {process.pid for process in self.servers()}
        await self.request("PUT", f"/functions/{NAME}/scale", {"instances": 0})
        await self.until(lambda: not before & {process.pid for process in self.servers()}, "scaled to zero")

    def servers(self) -> list[psutil.Process]:
        """The runtime's own process of every instance: the innermost one of each sandbox."""
        found = []
        try:
            marks = in_use(self.platform.data)
        except OSError:
            return []  # the launcher is being started again
        for process in psutil.Process(self.platform.pids["launcher"]).children(recursive=True):
            try:
                command = process.cmdline()
                server = any(part.endswith("start.py") for part in command) and "--check" not in command
                used = server and process.environ().get("FFX_INSTANCE") in marks  # others wait for a function
                if used and not process.name().startswith("bwrap"):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    async def kill_an_instance(self) -> None:
        await self.until(lambda: bool(self.servers()), "an instance to kill")
        victim = self.servers()[0]
        with self.tally.killing("instance"):
            victim.kill()
        await self.until(lambda: has_ended(victim), "the end of it")
        await self.served()

    async def kill_part(self, name: str) -> None:
        pid = self.platform.pids[name]
        with self.tally.killing(name):
            os.kill(pid, signal.SIGKILL)
        await self.until(lambda: self.platform.pids.get(name) not in (pid, None), f"{name} is back")
        await self.until_ready()
        await self.served()

    async def served(self, calls: int = 20) -> None:
        """Go on when the callers have had answers again."""
        until = self.tally.calls.total() + calls
        await self.until(lambda: self.tally.calls.total() >= until, "calls flow")

    async def until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = await self.api.get("/readyz")
                if answer.status_code == 200:
                    return
                problem = answer.text
            except httpx.TransportError as error:
                problem = repr(error)
            assert time.monotonic() < deadline, problem
            await asyncio.sleep(0.05)

    @staticmethod
    async def until(condition: Any, what: str, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
            await asyncio.sleep(0.01)


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    platform = Platform(folder / "d")
    try:
        await asyncio.to_thread(platform.start)
        made = Operator(platform, Tally())
        await made.until_ready()
        await made.register()
        yield made
        await made.api.aclose()
    finally:
        await asyncio.to_thread(platform.end)
        shutil.rmtree(folder, ignore_errors=True)


async def test_nothing_is_lost(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    tally = operator.tally
    rows: list[str] = []

    async def phase(what: str, times: int, act: Any) -> None:
        began, before, lost_before = time.monotonic(), tally.calls.total(), len(tally.lost)
        for number in range(1, times + 1):
            await act(number)
        took = time.monotonic() - began
        rows.append(
            f"{times:4d} x {what:28s} {took:6.1f} s {tally.calls.total() - before:7d} calls {len(tally.lost) - lost_before:3d} lost"
        )

    async with calling(f"{operator.platform.url}/f/{NAME}", tally, operator.platform.auth):
        await operator.served()
        await phase("deploy", DEPLOYS, operator.deploy)
        await phase("rollback", ROLLBACKS, lambda _: operator.roll_back())
        await phase("scale to zero", ZEROES, lambda _: operator.to_zero())
        await phase("kill -9 an instance", INSTANCE_KILLS, lambda _: operator.kill_an_instance())
        for part in ("nats", "control", "launcher", "invoker", "envoy"):
            await phase(f"kill -9 {part}", 2, lambda _, part=part: operator.kill_part(part))
        await operator.served(100)
    with capsys.disabled():
        print("\n" + "\n".join(rows))
        print(
            f"{tally.calls.total()} calls ({dict(tally.calls)}), lost {len(tally.lost)}, excused {dict(tally.excused)}; "
            f"longest call {tally.longest_s:.2f} s, longest refusal {tally.refused_s:.2f} s"
        )
        for failure in tally.lost[:20]:
            near = [
                f"{kill.what} {kill.began - failure.began:+.3f}"
                for kill in tally.kills
                if abs(kill.began - failure.began) < 5
            ]
            print(
                f"  lost: {failure.method} after {failure.ended - failure.began:.3f} s: {failure.what} (kills: {near})"
            )
    assert tally.lost == []
    assert tally.refused_s < 2.0
    assert tally.calls.total() > 1000


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
