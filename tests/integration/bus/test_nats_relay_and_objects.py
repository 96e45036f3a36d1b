"""The event relay and the object store against a real server: killed in the middle, both are whole afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from faasioflex.bus.buckets import CODE_OBJECTS, EVENTS, FUNCTIONS
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.bus.relay import EventRelay
from faasioflex.model.errors import FfxError, Unavailable
from faasioflex.model.function import FunctionRecord
from support.deadline import awaited
from support.nats_server import NatsServer
from support.records import function_record

from .conftest import Connect

RELAY = Path(__file__).parent / "relay_that_dies.py"


async def revisions(bus: NatsBus) -> list[int]:
    async with bus.read(EVENTS.name, "ffx.event.function.updated.acme.hello") as messages:
        return [json.loads(message.data)["data"]["revision"] async for message in messages]


async def until_there_are(bus: NatsBus, count: int) -> list[int]:
    async def there() -> bool:
        return len(await revisions(bus)) >= count

    await awaited(there, f"{count} events")
    return await revisions(bus)


async def test_a_relay_killed_between_publish_and_acknowledgement(server: NatsServer, bus: NatsBus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for latest in range(1, 11):
        await functions.put("acme.hello", function_record("acme", "hello", change="updated", latest=latest))
    for _ in range(3):  # each of them stores three events and is killed before the third is acknowledged
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(RELAY), server.url, server.user, "3", stdin=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            await process.communicate(server.password.encode())
        assert process.returncode == -signal.SIGKILL
    relay = EventRelay(bus)
    began = time.monotonic()
    await relay.start()
    assert await until_there_are(bus, 10) == list(range(1, 11))
    assert time.monotonic() - began < 10, "what was in doubt does not wait for the consumer's ack_wait"
    await relay.stop()


async def test_events_go_on_when_the_server_is_killed(server: NatsServer, bus: NatsBus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    relay = EventRelay(bus)
    await relay.start()
    for latest in range(1, 61):
        if latest in (20, 40):
            server.kill()
            server.start()
        await functions.put("acme.hello", function_record("acme", "hello", change="updated", latest=latest))
    found = await until_there_are(bus, 60)
    assert found == list(range(1, 61))
    await relay.stop()


async def test_an_object_whose_writer_was_cut_off_does_not_exist(
    server: NatsServer, connect: Connect, bus: NatsBus
) -> None:
    impatient = (await connect(timeout_s=0.3)).objects(CODE_OBJECTS)
    data = os.urandom(20_000_000)
    put = asyncio.create_task(impatient.put("sha", data))
    await under_way(bus)
    server.kill()
    with pytest.raises(Unavailable):
        await put
    server.start()
    store = bus.objects(CODE_OBJECTS)
    assert await store.get("sha") is None
    assert await store.names() == []
    await store.put("sha", data)
    assert await store.get("sha") == data


async def test_a_put_goes_on_when_the_server_comes_back(server: NatsServer, bus: NatsBus, connect: Connect) -> None:
    store, data = bus.objects(CODE_OBJECTS), os.urandom(20_000_000)
    put = asyncio.create_task(store.put("sha", data))
    watching = await connect()
    await under_way(watching)
    server.kill()
    server.start()
    await put
    assert await store.get("sha") == data


async def test_chunks_of_unfinished_objects_are_collected_and_no_others(bus: NatsBus) -> None:
    store = bus.objects(CODE_OBJECTS)
    await store.put("sha", b"x" * 3_000_000)
    await bus.append("$O.ffx_code.C.orphan", b"half of something")
    assert await store.collect() == 0, "its writer may still be at work"
    assert await store.collect(now=time.time() + 2 * 3600) == 1
    assert await store.get("sha") == b"x" * 3_000_000
    assert await chunks(bus) == 3


async def test_a_damaged_object_is_never_handed_out(bus: NatsBus) -> None:
    store = bus.objects(CODE_OBJECTS)
    await store.put("sha", b"x" * 3_000_000)
    await bus.jetstream.api("STREAM.PURGE.OBJ_ffx_code", {"seq": 2})  # the first chunk is gone
    with pytest.raises(FfxError, match="damaged"):
        await store.get("sha")


async def test_ensure_brings_streams_to_the_plan_and_keeps_their_data(bus: NatsBus) -> None:
    functions = bus.bucket(FUNCTIONS.name, FunctionRecord)
    await functions.create("acme.hello", function_record("acme", "hello"))
    config = (await bus.jetstream.api("STREAM.INFO.KV_ffx_functions"))["config"]
    await bus.jetstream.api("STREAM.UPDATE.KV_ffx_functions", {**config, "max_msgs_per_subject": 3})
    await asyncio.gather(setup.ensure(bus), setup.ensure(bus))
    config = (await bus.jetstream.api("STREAM.INFO.KV_ffx_functions"))["config"]
    assert config["max_msgs_per_subject"] == 64
    assert len(await functions.list()) == 1


async def under_way(bus: NatsBus) -> None:
    """Return when a put has stored some of its chunks."""

    async def there() -> bool:
        return await chunks(bus) >= 2

    await awaited(there, "two chunks are stored")


async def chunks(bus: NatsBus) -> int:
    info = await bus.jetstream.api("STREAM.INFO.OBJ_ffx_code", {"subjects_filter": "$O.ffx_code.C.>"})
    return sum((info["state"].get("subjects") or {}).values())
