"""What an invoker finds in the queue when it takes over from one that died, and what it does while the bus fails it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from faasioflex.bus.buckets import CALLS, INVOCATIONS, LEASES
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.queue.head import head_of, subject_of, write_head
from faasioflex.invoker.queue.options import QueueBounds
from faasioflex.invoker.queue.outcomes import outcome_of
from faasioflex.invoker.queue.retries import Attempted
from faasioflex.model.errors import Unavailable
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.messages import QUEUE_STATE_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import LeaseRecord, QueueAnswer, QueuedCall, QueueQuestion
from support.deadline import awaited, eventually
from support.invoker_world import World, world
from support.queue_world import accept, answering, ended, nothing_left, policy, queue_of

HELLO = FunctionName("acme", "hello")
CALL = QueuedCall(
    invocation_id="",
    namespace="acme",
    name="hello",
    function_uid="uid-1",
    revision=None,
    method="POST",
    path="/",
    headers=(("Host", "functions"),),
    body_base64="",
    principal=CalledBy(LOCAL_ADMIN, "admin"),
    pid=LOCAL_ADMIN,
    accepted_at=0.0,
)


def queued(name: str, **fields: Any) -> QueuedCall:
    return replace(CALL, invocation_id=name, path=f"/?{name}", accepted_at=time.time(), **fields)


async def put(bus: MemoryBus, call: QueuedCall) -> int:
    return await bus.append(subject_of(HELLO, call.invocation_id), encode(call), headers=write_head(head_of(call)))


async def put_outcome(bus: MemoryBus, call: QueuedCall) -> Invocation:
    made = outcome_of(call, Attempted("answered", 1.0, 2.0, 1, 200, "as it was"), "succeeded", 1)
    await bus.bucket(INVOCATIONS.name, Invocation).create(made.invocation_id, made)
    return made


async def test_what_somebody_began_runs_again_and_what_has_an_outcome_does_not() -> None:
    bus = MemoryBus()
    done, begun, first, second = queued("done"), queued("begun"), queued("twice"), queued("twice", attempts=1)
    outcome = await put_outcome(bus, done)
    for each in (done, begun, first, replace(second, order=3), queued("last")):
        await put(bus, each)
    async with world(bus=bus) as here:
        instance = await here.instance()
        await here.route("hello", instance, **policy(concurrency=1))
        for name in ("begun", "twice", "last"):
            assert (await ended(here, name)).status == "succeeded"
        await nothing_left(here)
        assert instance.order == ["begun", "twice", "last"]
        assert instance.seen[1].headers["x-ffx-attempt"] == "2", "the one with more attempts counts"
        assert await ended(here, "done") == outcome
        assert queue_of(here).totals.redelivered == 3


async def test_one_invoker_works_on_the_queue_and_another_takes_over_when_it_is_gone() -> None:
    bus = MemoryBus()
    await bus.bucket(LEASES.name, LeaseRecord).create("queue", LeaseRecord("invoker.other", "x", 0.0), ttl_s=1.0)
    async with world(bus=bus, queue=QueueBounds(renew_s=0.05)) as here:
        instance = await here.instance()
        await here.route("hello", instance)
        made = await accept(here)
        assert (instance.seen, queue_of(here).depths()) == ([], ()), "stored, and left to the other one"
        assert (await ended(here, made)).status == "succeeded", "its lease ended"


async def test_what_another_invoker_stores_is_found_and_run_once_however_often_it_was_stored() -> None:
    bus = MemoryBus()
    async with world(bus=bus) as here:
        instance = await here.instance()
        await here.route("hello", instance)
        await ended(here, await accept(here, path="/?own"))
        done = queued("done")
        await put_outcome(bus, done)
        for each in (done, queued("theirs"), queued("theirs")):
            await put(bus, each)
        assert (await ended(here, "theirs")).status == "succeeded"
        await ended(here, await accept(here, path="/?own"))
        await nothing_left(here)
        assert instance.order == ["own", "theirs", "own"]


async def test_a_member_that_was_killed_goes_on_at_once() -> None:
    bus = MemoryBus()
    await bus.bucket(LEASES.name, LeaseRecord).create("queue", LeaseRecord("invoker.local", "before", 0.0), ttl_s=600)
    await put(bus, queued("begun"))
    async with world(bus=bus) as here:
        await here.route("hello", await here.instance())
        assert (await ended(here, "begun")).status == "succeeded"


async def test_a_call_that_takes_long_is_nobody_elses_as_long_as_its_invoker_lives() -> None:
    async with world(queue=QueueBounds(lease_s=1.0, renew_s=0.05)) as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance)
        made = await accept(here)
        await eventually(lambda: instance.running == 1, "it runs")
        leases = here.bus.bucket(LEASES.name, LeaseRecord)
        begun = await leases.get("queue")
        assert begun is not None

        async def outlived() -> bool:
            now = await leases.get("queue")
            return now is not None and now.revision > begun.revision + 25

        await awaited(outlived, "it has been renewed for longer than a lease lasts")
        instance.hold.set()
        assert (await ended(here, made)).attempts == 1
        assert instance.order == [""]


async def test_who_loses_the_lease_stops() -> None:
    async with world(queue=QueueBounds(renew_s=0.05)) as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance)
        made = await accept(here)
        await eventually(lambda: instance.running == 1, "it runs")
        await here.bus.bucket(LEASES.name, LeaseRecord).put("queue", LeaseRecord("invoker.other", "x", 0.0), ttl_s=600)
        await eventually(lambda: instance.cancelled == 1, "what runs is left to the other one")
        assert await here.invocations.get(made) is None
        assert queue_of(here).depths() == ()


async def test_an_outcome_is_stored_however_long_the_bus_is_away_and_the_call_is_not_run_again(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    bucket = queue_of(here)._outcomes._bucket
    create, failures = bucket.create, 0

    async def failing(key: str, value: Invocation, *, ttl_s: float | None = None) -> int:
        nonlocal failures
        failures += 1
        if failures < 4:
            raise Unavailable("away")
        return await create(key, value, ttl_s=ttl_s)

    monkeypatch.setattr(bucket, "create", failing)
    assert (await ended(here, await accept(here))).status == "succeeded"
    assert (failures, len(instance.seen)) == (4, 1)


async def test_a_retry_that_cannot_be_stored_is_made_all_the_same(here: World) -> None:
    assert isinstance(here.bus, MemoryBus)
    stream = here.bus._streams[CALLS.name]
    stream.plan = replace(stream.plan, max_messages=1)
    await here.route("hello", await here.instance(behaviour=answering(500, 200)), **policy())
    outcome = await ended(here, await accept(here))
    assert (outcome.status, outcome.attempts) == ("succeeded", 2)


async def test_a_call_whose_message_somebody_removed_has_an_outcome_that_says_so() -> None:
    async with world(queue=QueueBounds(kept_bytes=0)) as here:
        await here.route("hello", await here.instance())
        made = await accept(here, not_before=time.time() + 0.3)
        await here.bus.remove(CALLS.name, [1])
        outcome = await ended(here, made)
        assert outcome.status == "failed"
        assert outcome.error is not None
        assert "removed" in outcome.error.message


async def test_the_api_asks_the_one_that_works_on_the_queue(here: World) -> None:
    await here.route("hello", await here.instance())
    made = await accept(here, not_before=time.time() + 60)

    async def ask(question: QueueQuestion) -> QueueAnswer:
        return decode(QueueAnswer, await here.bus.request(QUEUE_STATE_SUBJECT, encode(question), 10))

    state = (await ask(QueueQuestion("state", made))).invocation
    assert state is not None
    assert (state.status, state.attempts) == ("queued", 0)
    assert (await ask(QueueQuestion("state", "nobody"))).invocation is None
    (depth,) = (await ask(QueueQuestion("depth"))).depths
    assert (depth.function, depth.queued, depth.delayed) == ("acme/hello", 0, 1)
    taken_back = (await ask(QueueQuestion("cancel", made, asked_by=CalledBy("u", "me")))).invocation
    assert taken_back is not None
    assert taken_back.status == "cancelled"
    again = await ask(QueueQuestion("cancel", made))
    assert again.code == "wrong-state"
    assert (await ask(QueueQuestion("redrive", made))).code == "dead-letter-not-found"


async def test_an_orderly_stop_leaves_what_runs_to_the_next_one() -> None:
    async with world() as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance)
        made = await accept(here)
        await eventually(lambda: instance.running == 1, "it runs")
        async with asyncio.timeout(10):
            await queue_of(here).stop(0.1)
        assert await here.invocations.get(made) is None
        assert await here.bus.bucket(LEASES.name, LeaseRecord).list() == []
        assert isinstance(here.bus, MemoryBus)
        assert len(here.bus._streams[CALLS.name]._messages) == 1
