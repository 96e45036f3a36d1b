"""Random load: calls, streams, asynchronous calls, deploys, functions that come and go, each with its own pauses to zero."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.soak.caller import NAMESPACE, Caller, Unexpected
from bench.soak.functions import IDLE_S, VERSIONS, Subject

KEPT_ERRORS = 50
ENDS_WITHIN_S = 60.0


@dataclass
class Tally:
    """What was done, by kind, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)  # the first of them, in words
    took_ms: list[float] = field(default_factory=list)  # of synchronous calls

    def add(self, kind: str, error: str | None) -> None:
        self.done[kind] += 1
        if error is not None:
            self.failed[kind] += 1
            if len(self.errors) < KEPT_ERRORS:
                self.errors.append(f"{time.strftime('%H:%M:%S')} {kind}: {error}")


class Load:
    """``per_s``: calls a second of all functions that are awake, together; ``deploy_every_s``: a deploy of one of them."""

    def __init__(self, caller: Caller, subjects: list[Subject], seed: int, per_s: float, deploy_every_s: float) -> None:
        self.tally = Tally()
        self._caller = caller
        self._subjects = subjects
        self._chance = random.Random(seed)  # noqa: S311
        self._per_s = per_s
        self._deploy_every_s = deploy_every_s
        self.blamed: set[str] = set()
        self._awake: set[Subject] = set()
        self._comes_and_goes = Subject("comes-and-goes", "python")

    async def once(self) -> None:
        """Everything that the load does: what is made at the first time only is there then."""
        await self._deploy()
        await self._come_and_go()
        for subject in self._subjects[:3]:
            await self._call(subject)
            await self._asynchronous(subject)

    async def why(self) -> list[str]:
        """What the platform wrote into the logs of functions whose calls failed."""
        told = []
        for name in sorted(self.blamed):
            lines = await self._caller.lines(f"/functions/{NAMESPACE}/{name}/logs?tail=200")
            told += [f"{name}: {line['time']} {line['message']}" for line in lines if line["stream"] == "platform"][
                -10:
            ]
        return told

    async def run(self, seconds: float) -> None:
        """Returns when all that was begun has ended."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            for subject in self._subjects:
                tasks.create_task(self._naps(subject, until))
            tasks.create_task(self._calls(until))
            tasks.create_task(self._every(self._deploy_every_s, until, "deploy", self._deploy))
            tasks.create_task(self._every(4 * self._deploy_every_s, until, "register, call, delete", self._come_and_go))

    async def _naps(self, subject: Subject, until: float) -> None:
        """Awake for a while, then left alone for long enough to go to zero; a quarter of them at a time."""
        await asyncio.sleep(self._chance.uniform(0, 6 * IDLE_S))
        while (left := until - time.monotonic()) > 0:
            self._awake.add(subject)
            await asyncio.sleep(min(left, self._chance.uniform(1, 4) * IDLE_S))
            self._awake.discard(subject)
            await asyncio.sleep(min(max(until - time.monotonic(), 0), self._chance.uniform(2, 10) * IDLE_S))

    async def _calls(self, until: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < until:
                await asyncio.sleep(self._chance.expovariate(self._per_s))
                if self._awake:
                    tasks.create_task(self._one(self._chance.choice(sorted(self._awake, key=lambda one: one.name))))

    async def _one(self, subject: Subject) -> None:
        kind = self._chance.choices(("call", "stream", "async"), (80, 10, 10))[0]
        if kind == "stream" and subject.runtime != "python":
            kind = "call"
        acts = {"call": self._call, "stream": self._stream, "async": self._asynchronous}
        await self._try(kind, lambda: acts[kind](subject), subject)

    async def _every(self, period_s: float, until: float, kind: str, act: Callable[[], Awaitable[None]]) -> None:
        while time.monotonic() + period_s < until:
            await asyncio.sleep(period_s)
            await self._try(kind, act)

    async def _try(self, kind: str, act: Callable[[], Awaitable[None]], subject: Subject | None = None) -> None:
        try:
            await act()
        except Unexpected as error:
            self.tally.add(kind, str(error))
            if subject is not None and len(self.blamed) < KEPT_ERRORS:
                self.blamed.add(subject.name)
        else:
            self.tally.add(kind, None)

    async def _call(self, subject: Subject) -> None:
        body = b"x" * self._chance.choice((10, 1000, 100_000))
        began = time.perf_counter()
        answer = await self._caller.call(subject.name, body)
        self.tally.took_ms.append(1000 * (time.perf_counter() - began))
        if subject.runtime == "python" and json.loads(answer)["got"] != len(body):
            raise Unexpected(f"{subject.name} was given {len(body)} bytes and answered {answer[:100]!r}")
        if subject.runtime == "exec" and not answer.rstrip().endswith(body):
            raise Unexpected(f"{subject.name} was given {len(body)} bytes and answered {len(answer)}")

    async def _stream(self, subject: Subject) -> None:
        lines = await self._caller.stream(subject.name)
        if [json.loads(line)["number"] for line in lines] != list(range(5)):
            raise Unexpected(f"{subject.name} streamed {lines}")

    async def _asynchronous(self, subject: Subject) -> None:
        request = {"function": f"{NAMESPACE}/{subject.name}", "payload": {"n": 1}, "mode": "async"}
        accepted = await self._caller.api("POST", "/functions/execute", request)
        ended = await self._caller.api("GET", f"/invocations/{accepted['invocation_id']}?wait_s={ENDS_WITHIN_S:g}")
        if ended["status"] != "succeeded":
            raise Unexpected(f"the queued call of {subject.name} is {ended['status']}: {ended.get('error')}")

    async def _deploy(self) -> None:
        subject = self._chance.choice(self._subjects)
        version = self._chance.randrange(VERSIONS)
        source = {"source": {"files": subject.files(version)}}
        answer = await self._caller.api("PATCH", f"/functions/{NAMESPACE}/{subject.name}?wait_s=60", source)
        if answer["status"]["latest"]["state"] == "failed":
            raise Unexpected(f"the deploy of {subject.name} failed: {answer['status']}")

    async def _come_and_go(self) -> None:
        subject = self._comes_and_goes
        await self._caller.api("POST", "/functions/register?wait_s=60", subject.document(0))
        await self._call(subject)
        await self._caller.api("DELETE", f"/functions/{NAMESPACE}/{subject.name}")
