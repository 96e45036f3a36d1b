"""Alerts over a bus: what they are made of, what they say, how they survive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from faasioflex.api.alerts.book import Alerts
from faasioflex.api.alerts.rules import Thresholds
from faasioflex.api.load import Load
from faasioflex.api.measures import CRASHES_SUBJECT, Measures
from faasioflex.bus.buckets import ALERTS, EVENTS
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.relay import EventRelay
from faasioflex.model.alert import Alert
from faasioflex.model.durations import bucket_of
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    LOAD_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    CountsReport,
    FunctionCounts,
    LoadReport,
    RevisionCalls,
    UsageReport,
)
from faasioflex.model.names import FunctionName
from support.api_client import function
from support.api_world import api_world
from support.deadline import awaited

HELLO = FunctionName("acme", "hello")


class World:
    """Everything that alerts are made of. ``later`` lets time pass as the platform would, looking every 5 s."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.now = 50_000.0
        self.uids: dict[FunctionName, str] = {HELLO: "u1"}
        self.relay = EventRelay(self.bus)
        self.calls: tuple[RevisionCalls, ...] = ()
        self.counts: FunctionCounts | None = None
        self.reserved_bytes = 0
        self.silent = False
        self._heard = 0

    async def start(self) -> None:
        await self.relay.start()
        await self.restart()

    async def restart(self) -> None:
        """The API anew, which has seen nothing yet."""
        self.load = Load(self.bus, lambda: self.now)
        self.measures = Measures(self.bus, lambda: self.now, self.uids.get, self.load)
        await self.load.start()
        await self.measures.start()
        thresholds = Thresholds(queue_age_s=120)
        self.alerts = Alerts(
            self.bus, self.measures, self.load, uid_of=self.uids.get, now=lambda: self.now, thresholds=thresholds
        )
        await self.alerts._mirror.start()

    async def stop_api(self) -> None:
        await self.alerts.stop()
        await self.measures.stop()
        await self.load.stop()

    async def later(self, seconds: float) -> None:
        for _ in range(int(seconds / 5)):
            self.now += 5
            await self._report()
            await self.alerts.look()

    async def _report(self) -> None:
        for source in () if self.silent else ("gateway", "invoker"):
            await self._publish(LOAD_SUBJECT, LoadReport(source, f"{source}.local", self.now, ()))  # type: ignore[arg-type]
        if self.calls:
            await self._publish(CALLS_SUBJECT, CallsReport("gateway", "gateway.local", self.now, self.calls))
        if self.counts is not None:
            await self._publish(COUNTS_SUBJECT, CountsReport("invoker.local", self.now, (self.counts,)))
        node = UsageReport(
            "manager.local", self.now, 5.0, (), memory_budget_bytes=1000, memory_reserved_bytes=self.reserved_bytes
        )
        await self._publish(USAGE_SUBJECT, node)

    async def _publish(self, subject: str, message: object) -> None:
        """Returns when it has been heard: handlers are begun in the order of their subscriptions."""
        heard: list[bytes] = []

        async def hear(_: str, got: bytes) -> None:
            heard.append(got)

        stop = await self.bus.subscribe(subject, hear)
        await self.bus.publish(subject, encode(message) if not isinstance(message, bytes) else message)
        while not heard:
            await asyncio.sleep(0)
        await stop()

    async def crash(self, reason: str = "exit") -> None:
        event = {"data": {"instance": "i-1", "reason": reason}}
        await self._publish(f"{CRASHES_SUBJECT}.acme.hello", json.dumps(event).encode())

    def firing(self) -> list[str]:
        return [one.key for one in self.alerts.firing()]

    async def events(self) -> list[dict[str, Any]]:
        async with self.bus.read(EVENTS.name, "ffx.event.alert.>") as messages:
            return [json.loads(message.data) async for message in messages]

    async def told(self, *wanted: tuple[str, str]) -> list[dict[str, Any]]:
        """Wait for exactly these events: kind, state."""
        types = [(f"faasioflex.alert.{kind}", state) for kind, state in wanted]

        async def there() -> bool:
            return [(one["type"], one["data"]["state"]) for one in await self.events()] == types

        await awaited(there, f"the events {wanted}")
        return await self.events()


def failing(answered: int = 50, errors: int = 25) -> tuple[RevisionCalls, ...]:
    return (RevisionCalls("acme", "hello", 1, answered, errors, {bucket_of(5): answered}, 5.0 * answered),)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop_api()
    await made.relay.stop()
    await made.bus.close()


async def test_errors_are_told_once_when_they_begin_and_once_when_they_end(world: World) -> None:
    world.calls = failing()
    await world.later(25)
    assert world.firing() == []
    await world.later(120)
    assert world.firing() == ["error-rate.acme.hello"]
    (event,) = await world.told(("error-rate", "firing"))
    assert event["subject"] == "acme/hello"
    assert event["data"] == {
        "uid": "u1",
        "state": "firing",
        "value": 50.0,
        "threshold": 10.0,
        "unit": "%",
        "message": "50.0 % of the calls of the last minute failed (threshold 10 %): its log has the cause",
    }
    world.calls = failing(errors=0)
    await world.later(200)
    assert world.firing() == []
    await world.told(("error-rate", "firing"), ("error-rate", "resolved"))
    assert await world.bus.bucket(ALERTS.name, Alert).list() == [], "what has ended is not kept"


async def test_a_restart_says_nothing_again_and_ends_what_is_over(world: World) -> None:
    world.calls = failing()
    await world.later(60)
    await world.told(("error-rate", "firing"))
    await world.stop_api()
    await world.restart()
    assert world.firing() == ["error-rate.acme.hello"]
    await world.later(200)
    assert world.firing() == ["error-rate.acme.hello"]
    await world.told(("error-rate", "firing"))
    await world.stop_api()
    world.calls = ()
    await world.restart()
    await world.later(50)
    assert world.firing() == ["error-rate.acme.hello"], "nothing was seen for so short a time that it says little"
    await world.later(60)
    assert world.firing() == []
    await world.told(("error-rate", "firing"), ("error-rate", "resolved"))


async def test_two_that_watch_say_everything_once(world: World) -> None:
    other = Alerts(world.bus, world.measures, world.load, uid_of=world.uids.get, now=lambda: world.now)
    await other._mirror.start()
    world.calls = failing()
    for _ in range(20):
        await world.later(5)
        await other.look()
    world.calls = failing(errors=0)
    for _ in range(40):
        await world.later(5)
        await other.look()
    await world.told(("error-rate", "firing"), ("error-rate", "resolved"))
    await other.stop()


async def test_nothing_begins_or_ends_while_the_reporters_are_silent(world: World) -> None:
    world.counts = FunctionCounts("acme", "hello", queued=9, oldest_s=500.0)
    await world.later(60)
    assert world.firing() == ["queue-age.acme.hello"]
    world.silent, world.counts = True, None
    await world.later(300)
    assert world.firing() == ["queue-age.acme.hello"]
    world.silent = False
    await world.later(80)
    assert world.firing() == []


async def test_what_ends_with_the_launcher_is_no_crash_of_the_function(world: World) -> None:
    for _ in range(3):
        await world.crash("lost")
    await world.later(5)
    assert world.firing() == []
    for _ in range(3):
        await world.crash("killed")
    await world.later(5)
    assert world.firing() == ["crash-loop.acme.hello"]


async def test_refused_calls_crashes_and_a_full_machine(world: World) -> None:
    world.calls = failing(errors=0)
    world.counts = FunctionCounts("acme", "hello", refused=25)
    world.reserved_bytes = 990
    await world.later(60)
    assert sorted(world.firing()) == ["capacity.platform", "overload.acme.hello"]
    await world.crash()
    await world.crash()
    await world.later(5)
    assert "crash-loop.acme.hello" not in world.firing()
    await world.crash()
    await world.later(5)
    assert "crash-loop.acme.hello" in world.firing()
    world.counts, world.reserved_bytes = None, 100
    await world.later(200)
    assert world.firing() == ["crash-loop.acme.hello"], "within five minutes of a crash it is not over"
    await world.later(300)
    assert world.firing() == []
    events = await world.events()
    assert {one["subject"] for one in events if one["type"] == "faasioflex.alert.capacity"} == {"platform"}
    assert len(events) == 6


async def test_with_its_function_goes_its_alert(world: World) -> None:
    world.calls = failing()
    await world.later(60)
    world.uids[HELLO] = "u2"
    world.calls = ()
    await world.later(5)
    assert world.firing() == []
    *_, last = await world.told(("error-rate", "firing"), ("error-rate", "resolved"))
    assert last["data"]["uid"] == "u1"
    world.calls = failing()
    await world.later(60)
    del world.uids[HELLO]
    await world.later(5)
    assert world.firing() == []


async def test_what_is_idle_is_not_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[FunctionName | None] = []
    count = world.measures.count
    monkeypatch.setattr(world.measures, "count", lambda name, *about: (looked.append(name), count(name, *about))[1])
    world.uids.update({FunctionName("acme", f"f{number}"): f"u{number}" for number in range(100)})
    world.calls = failing(errors=0)
    await world.later(10)
    assert set(looked) == {HELLO}
    looked.clear()
    world.calls = ()
    await world.later(400)
    looked.clear()
    await world.later(10)
    assert looked == []


async def test_who_may_read_the_function_sees_its_alerts(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function())
    record = (await client.get("/functions/admin/hello")).json()
    assert record["status"]["state"]
    made = Alert("overload", "admin.hello", "u", "firing", 12.0, 5.0, "%", 1000.0, "too many")
    bucket = bus.bucket(ALERTS.name, Alert)
    await bucket.put(made.key, made)
    await bucket.put("capacity.platform", Alert("capacity", "platform", "", "firing", 99.0, 95.0, "%", 900.0, "full"))

    async def listed() -> bool:
        return len((await client.get("/alerts")).json()["items"]) == 2

    await awaited(listed, "both are listed")
    items = (await client.get("/alerts")).json()["items"]
    assert [one["kind"] for one in items] == ["capacity", "overload"]
    assert items[1] == {
        "kind": "overload",
        "function": "admin/hello",
        "state": "firing",
        "value": 12.0,
        "threshold": 5.0,
        "unit": "%",
        "since": "1970-01-01T00:16:40.000Z",
        "message": "too many",
    }
    assert (await client.get("/functions/admin/hello/metrics")).json()["alerts"] == ["overload"]
    assert (await client.get("/platform/metrics")).json()["alerts"] == ["capacity", "overload"]
    assert len((await client.get("/alerts", params={"namespace": "admin"})).json()["items"]) == 1
    lines = (await client.get("/metrics")).text.splitlines()
    assert 'ffx_alerts_firing{kind="overload",namespace="admin",function="hello"} 1' in lines
    assert 'ffx_alerts_firing{kind="capacity"} 1' in lines


async def test_the_platforms_events_are_for_who_may_read_the_platform(bus: MemoryBus) -> None:
    async with api_world(bus) as here:
        for subject in ("ffx.event.alert.capacity.platform", "ffx.event.alert.overload.olga.hello"):
            await bus.append(subject, json.dumps({"id": "e", "type": subject}).encode())
        seen = {}
        for name, role in (("ada", "developer"), ("olga", "developer"), ("oscar", "operator")):
            who = await here.person(name, role)  # type: ignore[arg-type]
            lines = (await here.ask(who, "GET", "/events")).text.splitlines()
            seen[name] = {json.loads(line)["type"].split(".")[3] for line in lines if "alert" in line}
        assert seen == {"ada": set(), "olga": {"overload"}, "oscar": {"capacity", "overload"}}
