"""A whole function manager over the in-memory bus and driver, with members that acknowledge what they are told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from faasioflex.bus.buckets import FUNCTIONS, REVISIONS, ROUTES, SCALE, STATUS
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.mirror import Mirror
from faasioflex.manager.service import FunctionManager
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, RevisionRecord, Scaling
from faasioflex.model.messages import (
    APPLIED_SUBJECT,
    LOAD_SUBJECT,
    WAKE_SUBJECT,
    Applied,
    LoadReport,
    RevisionLoad,
    WakeReply,
    WakeRequest,
)
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus
from support.memory_builder import MemoryBuilder
from support.slow_driver import SlowDriver

KEY = "acme.hello"
SPEC = FunctionSpec("acme", "hello", "python", scaling=Scaling(idle_s=60.0))


class World:
    """What a user, the gateway and the invoker would do. ``acknowledge`` False: nobody applies routes any more.

    ``loads``: what both report of calls, all the time; None: they are silent. ``options``: of the manager.
    """

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.driver = SlowDriver()
        self.builder = MemoryBuilder()
        self.now = 1000.0
        self.acknowledge = True
        self.loads: tuple[RevisionLoad, ...] | None = ()
        self.options: dict[str, Any] = {}
        self.manager: FunctionManager | None = None
        self.functions = self.bus.bucket(FUNCTIONS.name, FunctionRecord)
        self.routes: Mirror[FunctionRoute] = Mirror(self.bus.bucket(ROUTES.name, FunctionRoute))
        self.statuses: Mirror[FunctionStatus] = Mirror(self.bus.bucket(STATUS.name, FunctionStatus))
        self._members: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: list[str] = []

    async def start(self) -> None:
        await self.routes.start()
        await self.statuses.start()
        self._members = asyncio.create_task(self._be_members())
        self._reader = asyncio.create_task(self._read_lines())
        await self.start_manager()

    async def start_manager(self) -> None:
        self.manager = FunctionManager(self.bus, self.driver, self.builder, clock=lambda: self.now, **self.options)
        await self.manager.start()

    async def stop_manager(self) -> None:
        if self.manager is not None:
            await self.manager.stop()
            self.manager = None

    async def stop(self) -> None:
        await self.stop_manager()
        for task in (self._members, self._reader):
            if task:
                task.cancel()
        await self.routes.stop()
        await self.statuses.stop()

    async def _read_lines(self) -> None:
        async with self.bus.read("FFX_LOGS", "ffx.log.>", follow=True) as messages:
            async for message in messages:
                self._lines.append(json.loads(message.data)["message"])

    async def _be_members(self) -> None:
        while True:
            for member, source in (("gateway.local", "gateway"), ("invoker.local", "invoker")):
                if self.acknowledge:
                    await self.bus.publish(APPLIED_SUBJECT, encode(Applied(member, self.routes.revision)))
                if self.loads is not None:
                    report = LoadReport(source, member, self.now, self.loads)  # type: ignore[arg-type]
                    await self.bus.publish(LOAD_SUBJECT, encode(report))
            await asyncio.sleep(0.01)

    # --- what users do

    async def register(self, spec: FunctionSpec = SPEC, *, rollout: str = "all") -> None:
        record = FunctionRecord(
            uid="u1",
            spec=spec,
            source=CodeSource("0" * 64, 1),
            latest=0,
            revisions={},
            rollouts=(),
            split={},
            created_at=self.now,
            updated_at=self.now,
            change="registered",
        )
        await self._add_revision(record, None, rollout)

    async def update(self, *, rollout: str = "all", **changes: object) -> None:
        entry = await self.functions.get(KEY)
        assert entry
        record = replace(entry.value, change="updated")
        if changes:
            record = replace(record, spec=replace(record.spec, **changes))  # type: ignore[arg-type]
        await self._add_revision(record, entry.revision, rollout)

    async def _add_revision(self, record: FunctionRecord, expected: int | None, rollout: str) -> None:
        spec, number = record.spec, record.latest + 1
        revision = RevisionRecord.of(
            spec,
            number,
            record.source,
            function_uid=record.uid,
            rollout=rollout,  # type: ignore[arg-type]
            created_at=self.now,
            created_by="admin",
        )
        key = f"{KEY}.{number}-x"
        await self.bus.bucket(REVISIONS.name, RevisionRecord).create(key, revision)
        record = replace(
            record,
            latest=number,
            revisions={**record.revisions, number: key},
            rollouts=(*record.rollouts, number) if rollout == "all" else record.rollouts,
        )
        if expected is None:
            await self.functions.create(KEY, record)
        else:
            await self.functions.update(KEY, record, expected)

    async def edit(self, **changes: object) -> None:
        entry = await self.functions.get(KEY)
        assert entry
        await self.functions.update(KEY, replace(entry.value, **changes), entry.revision)  # type: ignore[arg-type]

    async def desire(self, **instances: int) -> None:
        """The autoscaler's word: ``desire(r1=2)``."""
        wanted = {int(name[1:]): count for name, count in instances.items()}
        await self.bus.bucket(SCALE.name, DesiredScale).put(KEY, DesiredScale("u1", wanted, "test", self.now))

    async def wake(self, revision: int = 1) -> WakeReply:
        reply = await self.bus.request(WAKE_SUBJECT, encode(WakeRequest("acme", "hello", revision, 1)), 10.0)
        return decode(WakeReply, reply)

    async def copy(self, key: str, uid: str, **changes: object) -> None:
        """Another function, as the first one is but for ``changes`` of its specification."""
        entry = await self.functions.get(KEY)
        assert entry is not None
        namespace, name = key.split(".")
        spec = replace(entry.value.spec, namespace=namespace, name=name, **changes)  # type: ignore[arg-type]
        made = RevisionRecord.of(
            spec, 1, entry.value.source, function_uid=uid, rollout="all", created_at=self.now, created_by="admin"
        )
        await self.bus.bucket(REVISIONS.name, RevisionRecord).create(f"{key}.1-x", made)
        record = replace(
            entry.value, uid=uid, spec=spec, latest=1, revisions={1: f"{key}.1-x"}, rollouts=(1,), change="registered"
        )
        await self.functions.create(key, record)

    async def rest(self, seconds: int) -> None:
        """Let time pass, second by second, in each of which both report their calls."""
        for _ in range(seconds):
            self.now += 1
            assert self.manager is not None
            heard = self.manager._load._heard_at
            await self.until(lambda: min(heard.values()) >= self.now, "both have reported")  # noqa: B023

    async def look_again(self) -> None:
        """Return when every function was looked at three times more."""
        assert self.manager is not None
        reconciler = self.manager._reconciler
        for _ in range(3):
            for key in reconciler.states:
                reconciler.touch(key)
            await self.until(
                lambda: not (reconciler._queued or reconciler._busy or reconciler._again), "all looks have ended"
            )

    # --- what can be seen

    def live_of(self, key: str) -> list[str]:
        entry = self.routes.entries.get(key)
        route = entry.value.revisions.get(1) if entry else None
        return [endpoint.instance for endpoint in route.live] if route else []

    def lines(self) -> list[str]:
        """Messages of the functions' logs so far."""
        return list(self._lines)

    async def events(self, what: str) -> list[dict[str, Any]]:
        """Data of the events so far: ``instance.held``."""
        async with self.bus.read("FFX_EVENTS", f"ffx.event.{what}.>") as messages:
            return [json.loads(message.data)["data"] async for message in messages]

    @property
    def route(self) -> FunctionRoute | None:
        entry = self.routes.entries.get(KEY)
        return entry.value if entry else None

    @property
    def status(self) -> FunctionStatus | None:
        entry = self.statuses.entries.get(KEY)
        return entry.value if entry else None

    def state(self, revision: int) -> str | None:
        status = self.status
        return status.revisions[revision].state if status and revision in status.revisions else None

    def live(self, revision: int) -> list[str]:
        route = self.route
        if route is None or revision not in route.revisions:
            return []
        return [endpoint.instance for endpoint in route.revisions[revision].live]

    async def until(self, condition: Callable[[], bool], what: str = "", within_s: float = 30.0) -> None:
        deadline = asyncio.get_running_loop().time() + within_s
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"not so: {what}; {self.status} {self.route}"
            await asyncio.sleep(0.005)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop()
