"""nats-server is killed with -9 and comes back: nothing is missed, nothing is made up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faasioflex.bus import nats
from faasioflex.bus.buckets import FUNCTIONS, LOGS, REVISIONS, ROUTES
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.bus.nats.bucket import NatsBucket
from faasioflex.bus.nats.link import LinkLost
from faasioflex.bus.port import Bucket
from faasioflex.model.errors import Conflict, Unavailable
from faasioflex.model.function import FunctionRecord
from faasioflex.model.route import FunctionRoute
from support.deadline import eventually
from support.nats_server import NatsServer
from support.records import function_record

from .conftest import Connect

WITHIN_S = 1.0


@asynccontextmanager
async def mirrors(*buckets: Bucket[FunctionRecord]) -> AsyncIterator[list[Mirror[FunctionRecord]]]:
    made = [Mirror(bucket) for bucket in buckets]
    for mirror in made:
        await mirror.start()
    yield made
    for mirror in made:
        await mirror.stop()


async def load(bucket: Bucket[FunctionRecord], truth: dict[str, int | None], seed: int, enough: asyncio.Event) -> None:
    """Write, update and delete keys of its own as fast as it goes, until ``enough``. ``truth``: what is certainly stored."""
    chance, step = random.Random(seed), 0
    while not enough.is_set():
        step += 1
        key = f"load{seed}.f{chance.randrange(100)}"
        try:
            if chance.random() < 0.3:
                truth.pop(key, None)
                await bucket.delete(key)
                truth[key] = None
            else:
                truth.pop(key, None)
                truth[key] = await bucket.put(key, function_record("load", "f", latest=step))
        except Unavailable:
            truth.pop(key, None)  # it may have been stored or not


async def truth_of(bucket: Bucket[FunctionRecord]) -> dict[str, int]:
    return {entry.key: entry.revision for entry in await bucket.list()}


async def becomes(mirror: Mirror[FunctionRecord], expected: dict[str, int], within_s: float) -> None:
    await eventually(
        lambda: {key: entry.revision for key, entry in mirror.entries.items()} == expected,
        "the mirror is whole",
        within_s,
    )


async def test_every_watcher_has_every_change_within_a_second_of_the_reconnect(
    server: NatsServer, bus: NatsBus, connect: Connect
) -> None:
    others = [await connect() for _ in range(3)]
    watched = [one.bucket(FUNCTIONS.name, FunctionRecord) for one in (bus, *others, bus)]
    writer = (await connect()).bucket(FUNCTIONS.name, FunctionRecord)
    for place in range(300):
        await writer.put(f"old.f{place}", function_record("old", "f"))
    async with mirrors(*watched) as watching:
        for _ in range(3):
            truths: list[dict[str, int | None]] = [{} for _ in range(4)]
            enough = asyncio.Event()
            loads = [asyncio.create_task(load(writer, truth, seed, enough)) for seed, truth in enumerate(truths)]
            seen = watching[0].revision
            await eventually(lambda seen=seen: watching[0].revision > seen + 200, "the load runs")  # type: ignore[misc]
            server.kill()
            await eventually(lambda: not bus.connected, "the end is noticed")
            server.start()
            # A process that was connected first changes hundreds of keys while the others come back.
            first = await connect()
            unseen = first.bucket(FUNCTIONS.name, FunctionRecord)
            for place in range(200):
                if place % 2:
                    await unseen.delete(f"old.f{place}")
                else:
                    await unseen.put(f"new.f{place}", function_record("new", "f"))
            await eventually(lambda: all(one.connected for one in (bus, *others)), "all are back")
            loop = asyncio.get_running_loop()
            began = loop.time()
            enough.set()
            await asyncio.gather(*loads)
            expected = await truth_of(unseen)
            for truth in truths:
                for key, revision in truth.items():
                    assert expected.get(key) == revision, f"{key} was acknowledged at {revision}"
            for mirror in watching:
                await becomes(mirror, expected, began + WITHIN_S - loop.time())
            print(
                f"{len(watching)} mirrors of {len(expected)} keys complete {loop.time() - began:.3f} s after the reconnect"
            )


async def test_changes_made_while_a_watcher_was_away_arrive_at_its_reconnect(
    server: NatsServer, bus: NatsBus, connect: Connect
) -> None:
    """The watcher alone loses its connection: everything happens behind its back, then it is let in again."""
    mine = bus.bucket(FUNCTIONS.name, FunctionRecord)
    for place in range(300):
        await mine.put(f"acme.f{place}", function_record("acme", "f"))
    other = (await connect()).bucket(FUNCTIONS.name, FunctionRecord)
    async with mirrors(mine) as (mirror,):
        link = await bus.jetstream.connection.link(None)
        reopen = asyncio.Event()
        open_link = bus.jetstream.connection._open

        async def later():  # type: ignore[no-untyped-def]
            await reopen.wait()
            return await open_link()

        bus.jetstream.connection._open = later  # type: ignore[assignment]
        link.end()
        await eventually(lambda: not bus.connected, "it is away")
        for place in range(300):
            if place % 3 == 0:
                await other.delete(f"acme.f{place}")
            elif place % 3 == 1:
                await other.put(f"acme.f{place}", function_record("acme", "f", latest=2))
        for place in range(300, 600):
            await other.put(f"acme.f{place}", function_record("acme", "f"))
            await other.delete(f"acme.f{place}")
        expected = await truth_of(other)
        loop = asyncio.get_running_loop()
        reopen.set()
        await eventually(lambda: bus.connected, "it is back")
        began = loop.time()
        await becomes(mirror, expected, WITHIN_S)
        assert len(mirror.entries) == 200
        print(f"900 changes {loop.time() - began:.3f} s after the reconnect")


async def test_a_bucket_that_was_replaced_behind_a_watcher_is_read_again(bus: NatsBus, connect: Connect) -> None:
    """A stream restored from a backup: sequences begin anew. The periodic comparison finds it, connected or not."""
    watcher = await connect(resync_s=0.2)
    mine = watcher.bucket(FUNCTIONS.name, FunctionRecord)
    for place in range(20):
        await mine.put(f"acme.f{place}", function_record("acme", "f"))
    async with mirrors(mine) as (mirror,):
        await bus.jetstream.api("STREAM.DELETE.KV_ffx_functions")
        await setup.ensure(bus)
        other = bus.bucket(FUNCTIONS.name, FunctionRecord)
        await other.put("acme.f3", function_record("acme", "f", uid="restored"))
        await eventually(lambda: set(mirror.entries) == {"acme.f3"}, "the mirror is the new bucket", 15)
        assert mirror.entries["acme.f3"].value.uid == "restored"


async def test_records_that_vanish_without_a_message_are_noticed(bus: NatsBus, connect: Connect) -> None:
    """Expiry leaves no marker: only the comparison of counts tells."""
    watcher = await connect(resync_s=0.2)
    mine = watcher.bucket(ROUTES.name, FunctionRoute)
    await mine.put("acme.a", FunctionRoute("uid", "private", {}))
    await mine.put("acme.b", FunctionRoute("uid", "private", {}))
    mirror = Mirror(mine)
    await mirror.start()
    await bus.jetstream.api("STREAM.PURGE.KV_ffx_routes", {"filter": "$KV.ffx_routes.acme.a"})
    await eventually(lambda: set(mirror.entries) == {"acme.b"}, "the vanished record is gone", 15)
    await mirror.stop()


async def test_a_write_during_the_outage_is_stored_once_when_the_server_is_back(
    server: NatsServer, bus: NatsBus
) -> None:
    bucket = bus.bucket(FUNCTIONS.name, FunctionRecord)
    first = await bucket.create("acme.hello", function_record("acme", "hello"))
    server.kill()
    writes = asyncio.gather(
        bucket.update("acme.hello", function_record("acme", "hello", latest=2), first),
        bucket.create("acme.other", function_record("acme", "other")),
        bus.append("ffx.log.acme.hello", b"line", message_id="line-1"),
    )
    await eventually(lambda: not bus.connected, "the end is noticed")
    server.start()
    second, other, _ = await writes
    assert sorted([second, other]) == [first + 1, first + 2]
    async with bus.read(LOGS.name, "ffx.log.>") as messages:
        assert [message.data async for message in messages] == [b"line"]


async def test_an_outage_that_lasts_makes_operations_unavailable(
    server: NatsServer, connect: Connect, bus: NatsBus
) -> None:
    impatient = await connect(timeout_s=0.3)
    bucket = impatient.bucket(FUNCTIONS.name, FunctionRecord)
    await bucket.create("acme.hello", function_record("acme", "hello"))
    server.kill()
    loop = asyncio.get_running_loop()
    began = loop.time()
    put = asyncio.create_task(bucket.put("acme.hello", function_record("acme", "hello", latest=9)))
    await eventually(lambda: not impatient.connected, "the end is noticed")
    operations = (
        put,
        bucket.get("acme.hello"),
        bucket.list(),
        impatient.append("ffx.log.acme.hello", b""),
        impatient.publish("ffx.load", b""),
        impatient.request("ffx.wake", b"", 10),
        impatient.objects("ffx_code").get("sha"),
        impatient.objects("ffx_code").put("sha", b"x"),
    )
    results = await asyncio.gather(*operations, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results), results
    assert loop.time() - began < 5
    server.start()
    await eventually(lambda: impatient.connected, "it is back")
    entry = await bucket.get("acme.hello")
    assert entry is not None
    assert entry.value.latest == 1, "a write that was given up is not sent later"


async def test_a_server_that_hangs_is_unavailable_and_then_there_again(
    server: NatsServer, connect: Connect, bus: NatsBus
) -> None:
    impatient = await connect(timeout_s=0.3)
    bucket = impatient.bucket(FUNCTIONS.name, FunctionRecord)
    server.pause()
    with pytest.raises(Unavailable):
        await bucket.get("acme.hello")
    server.resume()
    assert await bucket.get("acme.hello") is None


async def test_a_lost_acknowledgement_is_neither_a_conflict_nor_a_second_write(
    server: NatsServer, bus: NatsBus
) -> None:
    """The write is stored, the connection dies before the answer: repeating it finds the first."""
    bucket = bus.bucket(FUNCTIONS.name, FunctionRecord)
    first = await bucket.create("acme.hello", function_record("acme", "hello"))
    for write, stored in (
        (bucket.update("acme.hello", function_record("acme", "hello", latest=2), first), first + 1),
        (bucket.create("acme.new", function_record("acme", "new")), first + 2),
        (bucket.delete("acme.new", first + 2), None),
    ):
        link = await bus.jetstream.connection.link(None)
        request = link.request

        async def and_die(*arguments, request=request, link=link, **options):  # type: ignore[no-untyped-def]
            answer = await request(*arguments, **options)
            link.request = request
            assert b'"seq"' in answer.data
            server.kill()
            server.start()
            link.end()
            raise LinkLost("before the answer was there")

        link.request = and_die
        assert await write == stored
    state = (await bus.jetstream.api("STREAM.INFO.KV_ffx_functions"))["state"]
    assert state["last_seq"] == first + 3


async def test_after_a_lost_acknowledgement_what_somebody_else_wrote_stays(server: NatsServer, bus: NatsBus) -> None:
    """Ours was stored, then somebody wrote over it before we asked again: a success with history, else a true conflict."""
    for bucket, succeeds in (
        (bus.bucket(FUNCTIONS.name, FunctionRecord), True),
        (NatsBucket(bus.jetstream, REVISIONS.name, FunctionRecord, history=1), False),
    ):
        first = await bucket.create("acme.hello", function_record("acme", "hello"))
        link = await bus.jetstream.connection.link(None)
        request = link.request

        async def and_lose(*arguments, request=request, link=link, bucket=bucket, **options):  # type: ignore[no-untyped-def]
            answer = await request(*arguments, **options)
            link.request = request
            await bucket.put("acme.hello", function_record("acme", "hello", uid="somebody else"))
            link.end()
            raise LinkLost(f"before the answer was there: {answer}")

        link.request = and_lose
        update = bucket.update("acme.hello", function_record("acme", "hello", latest=2), first)
        if succeeds:
            assert await update == first + 1
        else:
            with pytest.raises(Conflict):
                await update
        entry = await bucket.get("acme.hello")
        assert entry is not None
        assert entry.value.uid == "somebody else"


async def test_subscriptions_and_requests_survive(server: NatsServer, bus: NatsBus, connect: Connect) -> None:
    other = await connect()

    async def handle(subject: str, data: bytes) -> bytes:
        return data.upper()

    await other.subscribe("ffx.wake", handle, queue="managers")
    for _ in range(3):
        server.kill()
        await eventually(lambda: not other.connected and not bus.connected, "the end is noticed")
        server.start()
        await eventually(lambda: other.connected, "the handler is back")
        assert await bus.request("ffx.wake", b"hello", 5) == b"HELLO"


async def test_a_reader_that_follows_goes_on_without_loss_or_repetition(server: NatsServer, bus: NatsBus) -> None:
    got: list[int] = []

    async def follow() -> None:
        async with bus.read(LOGS.name, "ffx.log.acme.*", follow=True) as messages:
            async for message in messages:
                got.append(int(message.data))

    task = asyncio.create_task(follow())
    for place in range(300):
        if place in (100, 200):
            server.kill()
            server.start()
        await bus.append(f"ffx.log.acme.f{place % 3}", b"%d" % place, message_id=str(place))
    await eventually(lambda: len(got) >= 300, "all lines are there")
    assert got == list(range(300))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_first_connection_is_refused_with_the_reason(server: NatsServer) -> None:
    with pytest.raises(Unavailable, match=r"Authorization Violation"):
        await nats.connect(server.url, server.user, "wrong", name="test", wait_s=1)
    server.kill()
    with pytest.raises(Unavailable, match=r"Connect call failed"):
        await nats.connect(server.url, server.user, server.password, name="test", wait_s=0.3)
