"""The relay on every driver: each write has its event, once, as a valid CloudEvent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import from_json

from faasioflex.bus.buckets import EVENTS, FUNCTIONS, SCALE, STATUS
from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.bus.relay import EventRelay
from faasioflex.model.function import FunctionRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.status import DesiredScale, FunctionStatus, ScaleDecision
from support.deadline import awaited, eventually
from support.records import function_record


async def raw_events(bus: Bus) -> list[tuple[str, bytes]]:
    async with bus.read(EVENTS.name, "ffx.event.>") as messages:
        return [(message.subject, message.data) async for message in messages]


async def verbs(bus: Bus) -> list[str]:
    return [subject.removeprefix("ffx.event.") for subject, _ in await raw_events(bus)]


async def counted(bus: Bus, count: int) -> list[str]:
    """The events, as soon as there are ``count``."""

    async def there() -> bool:
        return len(await verbs(bus)) >= count

    await awaited(there, f"{count} events")
    return await verbs(bus)


async def test_every_change_of_a_function_has_its_event(bus: Bus) -> None:
    functions, statuses = bus.bucket(FUNCTIONS.name, FunctionRecord), bus.bucket(STATUS.name, FunctionStatus)
    relay = EventRelay(bus)
    await relay.start()
    assert relay.problem is None
    await functions.create("acme.hello", function_record("acme", "hello"))
    await functions.put("acme.hello", function_record("acme", "hello", change="updated", latest=2))
    await functions.put("acme.hello", function_record("acme", "hello", change="deleting", latest=2))
    await functions.delete("acme.hello")
    assert await counted(bus, 3) == [
        "function.registered.acme.hello",
        "function.updated.acme.hello",
        "function.deleted.acme.hello",
    ]
    await statuses.put("acme.hello", FunctionStatus("uid-1"))
    await statuses.put("acme.hello", FunctionStatus("uid-1", change="deployed", change_data={"revision": 1}))
    await statuses.put("acme.hello", FunctionStatus("uid-1", change="scaled", change_data={"instances": 3}))
    await statuses.put("acme.hello", FunctionStatus("uid-1", change="failed", change_data={"message": "«ñ»"}))
    await statuses.delete("acme.hello")
    assert (await counted(bus, 6))[3:] == [
        "function.deployed.acme.hello",
        "function.scaled.acme.hello",
        "function.failed.acme.hello",
    ]
    await relay.stop()
    assert relay.problem is not None


async def test_events_are_cloudevents(bus: Bus) -> None:
    functions, statuses = bus.bucket(FUNCTIONS.name, FunctionRecord), bus.bucket(STATUS.name, FunctionStatus)
    await functions.create("acme.hello", function_record("acme", "hello"))
    await statuses.put("acme.hello", FunctionStatus("uid-1", change="failed", change_data={"message": "«ñ» 🦤"}))
    relay = EventRelay(bus)
    await relay.start()
    await counted(bus, 2)
    await relay.stop()
    await publish_event(bus, "instance", "crashed", FunctionName("acme", "hello"), {"instance": "i-1"}, at=1.5)
    found = {subject: data for subject, data in await raw_events(bus)}
    assert len(found) == 3
    for subject, data in found.items():
        event = JSONFormat().read(CloudEvent, data)  # validates
        assert event.get_specversion() == "1.0"
        noun, verb = subject.split(".")[2:4]
        assert event.get_type() == f"faasioflex.{noun}.{verb}"
        assert event.get_subject() == "acme/hello"
        assert event.get_time() is not None
        assert from_json(data)["id"] == event.get_id()
    registered = json.loads(found["ffx.event.function.registered.acme.hello"])
    assert registered["id"] == "ffx_functions-1"
    assert registered["data"] == {"uid": "uid-1", "revision": 1, "runtime": "python"}
    failed = json.loads(found["ffx.event.function.failed.acme.hello"])
    assert failed["data"] == {"uid": "uid-1", "message": "«ñ» 🦤"}
    crashed = json.loads(found["ffx.event.instance.crashed.acme.hello"])
    assert (crashed["data"], crashed["time"]) == ({"instance": "i-1"}, "1970-01-01T00:00:01.500000Z")


async def test_a_decision_of_the_autoscaler_says_why_once(bus: Bus) -> None:
    scales = bus.bucket(SCALE.name, DesiredScale)
    up = ScaleDecision(1, 5, "concurrency", 30.0, 7.0, "calls", "30 calls at once", 100.0)
    relay = EventRelay(bus)
    await relay.start()
    await scales.put("acme.hello", DesiredScale("uid-1", {3: 1}, "as it is", 90.0))
    await scales.put("acme.hello", DesiredScale("uid-1", {3: 5}, "…", 100.0, {3: up}))
    await scales.put("acme.hello", DesiredScale("uid-1", {3: 5, 4: 0}, "noted", 110.0, {3: up}))
    await scales.put("acme.hello", DesiredScale("uid-1", {3: 0}, "…", 120.0, {3: replace(up, to=0, at=120.0)}))
    assert await counted(bus, 2) == ["function.scale-decided.acme.hello"] * 2
    await relay.stop()
    assert json.loads((await raw_events(bus))[0][1])["data"] == {
        "uid": "uid-1",
        "revision": 3,
        "from": 1,
        "to": 5,
        "signal": "concurrency",
        "value": 30.0,
        "threshold": 7.0,
        "unit": "calls",
        "reason": "30 calls at once",
    }


class DiesAtAppend:
    """A bus whose user dies around the append: ``stored`` tells whether the event was stored before."""

    def __init__(self, bus: Bus, *, stored: bool) -> None:
        self._bus, self._stored = bus, stored
        self.died = asyncio.Event()

    async def append(self, subject: str, data: bytes, *, message_id: str | None = None) -> int:
        if self._stored:
            # Without the id: as if the stream's duplicate window were long over when the relay comes back.
            await self._bus.append(subject, data)
        self.died.set()
        raise asyncio.CancelledError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


@pytest.mark.parametrize("stored", [True, False], ids=["after the publish", "before the publish"])
async def test_a_relay_that_dies_around_the_publish_leaves_exactly_one_event(bus: Bus, stored: bool) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    await functions.create("acme.hello", function_record("acme", "hello"))
    await functions.put("acme.hello", function_record("acme", "hello", change="updated"))
    dying = DiesAtAppend(bus, stored=stored)
    first = EventRelay(dying)  # type: ignore[arg-type]
    await first.start()
    await eventually(dying.died.is_set, "the relay died")
    await first.stop()
    second = EventRelay(bus)
    await second.start()
    await functions.put("acme.hello", function_record("acme", "hello", change="updated"))
    assert await counted(bus, 3) == ["function.registered.acme.hello"] + ["function.updated.acme.hello"] * 2
    await second.stop()


async def test_a_relay_that_was_away_catches_up_with_every_write(bus: Bus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for latest in range(1, 41):
        await functions.put("acme.hello", function_record("acme", "hello", change="updated", latest=latest))
    relay = EventRelay(bus)
    await relay.start()
    await counted(bus, 40)
    await relay.stop()
    assert [json.loads(data)["data"]["revision"] for _, data in await raw_events(bus)] == list(range(1, 41))


async def test_two_relays_at_once_make_no_second_event(bus: Bus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    relays = [EventRelay(bus), EventRelay(bus)]
    for relay in relays:
        await relay.start()
    for latest in range(1, 31):
        await functions.put("acme.hello", function_record("acme", "hello", change="updated", latest=latest))
    await counted(bus, 30)
    for relay in relays:
        await relay.stop()
    revisions = [json.loads(data)["data"]["revision"] for _, data in await raw_events(bus)]
    assert sorted(revisions) == list(range(1, 31))
