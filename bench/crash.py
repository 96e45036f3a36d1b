"""Is a call lost, or does it end twice, when everything is killed? ``python -m bench.crash [--calls N] [--kills N]``

Asynchronous calls are made over HTTP while invoker, control, nats-server and the supervisor are killed -9 in random order. Then
every call that was accepted must have exactly one outcome, which was written once and never again. Exit code 1 where that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from faasioflex.bus import nats
from faasioflex.bus.buckets import CALLS, INVOCATIONS
from faasioflex.bus.nats import NatsBus
from faasioflex.model.invocation import Invocation

FFX = Path(sys.executable).parent / "ffx"
KILLED = ("invoker", "control", "nats", "supervisor")
CLIENTS = 16
READY_S, END_S, CALL_S, PATIENCE_S = 90.0, 300.0, 20.0, 180.0
FUNCTION = """
import os, time
def handle(event, context):
    number = event.json()["number"]
    file = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND)
    os.write(file, b"%d\\n" % number)
    os.close(file)
    time.sleep(0.05 if number % 7 == 0 else 0.001)
    if number % 50 == 13:
        raise ValueError("fails whenever it is called")
    return {"number": number}
"""


@dataclass
class Seen:
    """``accepted``: ids that were answered with 202, and the number that each call was of."""

    accepted: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    rewritten: int = 0
    left: int = 0
    runs: int = 0
    attempts: int = 0
    accept_s: float = 0.0
    all_s: float = 0.0

    @property
    def fine(self) -> bool:
        return not (self.missing or self.wrong or self.rewritten or self.left)

    def lines(self) -> list[str]:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.outcomes.items()))
        return [
            f"accepted      {len(self.accepted)} in {self.accept_s:.1f} s ({self.broken} requests broke and were made again)",
            f"killed -9     {sum(self.kills.values())}: {dict(self.kills)}",
            f"outcomes      {sum(self.outcomes.values())} ({states}), all there after {self.all_s:.1f} s",
            f"lost          {len(self.missing)}",
            f"two outcomes  {self.rewritten}",
            f"wrong outcome {len(self.wrong)}",
            f"left in queue {self.left}",
            f"runs          {self.runs}; {self.runs - self.attempts} of them again because of a kill",
        ]


class Victim:
    """A platform in ``folder`` whose processes are killed, and which is started again where its supervisor was."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.runs = folder / "runs"
        self._output = (folder / "out").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FFX_")}
        command = [FFX, "up", "--data", self.data, "--port", "0", "--runtime", "process"]
        process = self._process = subprocess.Popen(  # noqa: ASYNC220
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output, env=environment
        )
        deadline = time.monotonic() + READY_S
        while self.document().get("pid") != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"ffx up did not come up: see {self._output.name}")
            await asyncio.sleep(0.05)

    async def kill(self, what: str) -> None:
        if what == "supervisor":
            assert self._process is not None
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            await self.start()
            return
        pid = self.document().get("processes", {}).get(what)
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)

    async def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, 30)

    def document(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.data / "run/platform.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def headers(self) -> dict[str, str]:
        token = Path(self.document()["admin_token_file"]).read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    async def request(self, client: httpx.AsyncClient, method: str, path: str, body: Any, seen: Seen) -> httpx.Response:
        """Made again until the platform answers: what a client does that does not want to lose a call."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                url = f"{self.document()['gateway_url']}{path}"
                answer = await client.request(method, url, json=body, headers=self.headers())
                if answer.status_code < 500 and answer.status_code != 429:
                    answer.raise_for_status()
                    return answer
            except (httpx.TransportError, KeyError, OSError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"nothing answers any more: {error!r}") from error
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} is answered {answer.status_code}: {answer.text[:500]}")
            seen.broken += 1
            await asyncio.sleep(0.05)

    async def bus(self) -> NatsBus:
        given = json.loads((self.data / "run/nats.json").read_text())
        return await nats.connect(given["url"], given["user"], given["password"], name="crash", wait_s=READY_S)


async def crash(
    calls: int, kills: int, folder: Path, *, chance: random.Random, every_s: float = 1.0, to_the_end: bool = False
) -> Seen:
    """Make ``calls`` while there are ``kills``, or with ``to_the_end`` as many more as there is time for; what came of it.

    Raises: RuntimeError where the platform does not come back.
    """
    seen, victim = Seen(), Victim(folder)
    folder.chmod(0o755)
    victim.runs.touch()
    victim.runs.chmod(0o666)
    await victim.start()
    try:
        async with httpx.AsyncClient(timeout=CALL_S, trust_env=False) as client:
            await _register(victim, client, seen)
            began = time.monotonic()
            made = asyncio.Event()
            killer = asyncio.create_task(
                _kill(
                    victim,
                    lambda: sum(seen.kills.values()) < kills or (to_the_end and not made.is_set()),
                    chance,
                    every_s,
                    seen,
                )
            )
            numbers = iter(range(calls))
            await asyncio.gather(*(_make_calls(victim, client, numbers, seen) for _ in range(CLIENTS)))
            seen.accept_s = time.monotonic() - began
            made.set()
            await killer
            await _wait_for_all(victim, seen)
            seen.all_s = time.monotonic() - began
    finally:
        await victim.stop()
    seen.runs = len(victim.runs.read_text().splitlines())
    return seen


async def _register(victim: Victim, client: httpx.AsyncClient, seen: Seen) -> None:
    document = {
        "name": "crash",
        "runtime": "python",
        "env": {"RUNS": str(victim.runs)},
        "async": {"backoff_s": 0.1, "max_attempts": 3},
        "scaling": {"max_instances": 2},
        "source": {"files": {"main.py": FUNCTION}},
    }
    made = (await victim.request(client, "POST", "/functions/register?wait_s=60", document, seen)).json()
    if made["status"]["state"] != "ready":
        raise RuntimeError(f"the function is {made['status']}")


async def _make_calls(victim: Victim, client: httpx.AsyncClient, numbers: Any, seen: Seen) -> None:
    """Every second call has a key, so that one that broke and is repeated is the same call."""
    for number in numbers:
        body = {"function": "crash", "payload": {"number": number}, "mode": "async"}
        if number % 2:
            body["idempotency_key"] = f"call {number}"
        made = (await victim.request(client, "POST", "/functions/execute", body, seen)).json()
        seen.accepted[made["invocation_id"]] = number


async def _kill(victim: Victim, goes_on: Callable[[], bool], chance: random.Random, every_s: float, seen: Seen) -> None:
    order: list[str] = []
    while goes_on():
        order = order or chance.sample(KILLED, len(KILLED))
        await asyncio.sleep(every_s * (0.5 + chance.random()))
        what = order.pop()
        await victim.kill(what)
        seen.kills[what] += 1


async def _wait_for_all(victim: Victim, seen: Seen) -> None:
    bus = await victim.bus()
    try:
        bucket, deadline = bus.bucket(INVOCATIONS.name, Invocation), time.monotonic() + END_S
        while True:
            found = {entry.key: entry.value for entry in await bucket.list()}
            seen.missing = [each for each in seen.accepted if each not in found]
            queue = (await bus.jetstream.api(f"STREAM.INFO.{CALLS.name}"))["state"]
            seen.left = int(queue["messages"])
            if not (seen.missing or seen.left) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        seen.outcomes = Counter(each.status for each in found.values())
        seen.attempts = sum(each.attempts for each in found.values())
        seen.wrong = [
            each for each, number in seen.accepted.items() if each in found and not _right(found[each], number)
        ]
        # Each outcome is a message of its key: one that was written again would have pushed the first one out.
        state = (await bus.jetstream.api(f"STREAM.INFO.KV_{INVOCATIONS.name}"))["state"]
        seen.rewritten = int(state["last_seq"]) - len(found)
    finally:
        await bus.close()


def _right(made: Invocation, number: int) -> bool:
    if number % 50 == 13:
        return made.status == "dead" and made.attempts == 3
    return made.status == "succeeded" and bool(made.result == {"number": number})


async def _as(given: argparse.Namespace, folder: Path, chance: random.Random) -> Seen:
    return await crash(given.calls, given.kills, folder, chance=chance, every_s=given.every, to_the_end=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Kill everything while calls are accepted, and count what came of them."
    )
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20, help="at least; it goes on as long as calls are made")
    parser.add_argument("--every", type=float, default=4.0, metavar="S", help="seconds between two kills, on average")
    parser.add_argument("--seed", type=int, default=None, help="of the order of kills")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="ffxcrash", dir="/tmp"))
    print(f"{given.calls} calls, at least {given.kills} kills, seed {seed}", flush=True)
    try:
        seen = asyncio.run(_as(given, folder, random.Random(seed)))  # noqa: S311
        print("\n".join(seen.lines()), flush=True)
        if seen.fine:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"its data are in {folder}")
    except RuntimeError as error:
        print(f"{error}; its data are in {folder}")
        return 1
    return 0 if seen.fine else 1


if __name__ == "__main__":
    sys.exit(main())
