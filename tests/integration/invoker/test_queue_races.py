"""Two things of one queued call at the same moment: taken back as it begins, as it is put back, ended elsewhere as it dies."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from faasioflex.bus.buckets import LEASES
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.queue.callbacks import Delivered
from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.head import head_of, write_head
from faasioflex.invoker.queue.options import QueueBounds
from faasioflex.model.errors import Unavailable
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.messages import QUEUE_STATE_SUBJECT
from faasioflex.model.queue import Callback, LeaseRecord, QueuedCall
from support.deadline import awaited, eventually
from support.invoker_world import World, world
from support.queue_world import accept, answering, ended, letters, nothing_left, policy, queue_of

ME = CalledBy("u-1", "me@example.test")


async def test_a_call_is_taken_back_in_the_moment_that_its_turn_comes(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    made = await accept(here)
    work = queue_of(here)._work
    assert work is not None
    entry = work.index.get(made)
    assert entry is not None
    cancelled = asyncio.create_task(work.runner.cancel(entry, ME))
    work.runner._pump()
    assert (entry.stage, entry.task) == (Stage.RUNNING, None), "it is to run, and has not begun"
    outcome = await asyncio.wait_for(cancelled, 5)
    assert outcome is not None
    assert (outcome.status, outcome.attempts) == ("cancelled", 0)
    assert (work.runner.runs, entry.line.running, instance.seen) == (0, 0, [])


async def test_a_call_is_taken_back_while_its_next_attempt_is_stored_or_waits(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await here.instance(behaviour=answering(500, 500, 200))
    await here.route("hello", instance, **policy())
    append, stores, go_on = here.bus.append, 0, asyncio.Event()

    async def slow(*given: Any, **named: Any) -> int:
        nonlocal stores
        stores += 1
        if stores == 2:
            await go_on.wait()
        return await append(*given, **named)

    monkeypatch.setattr(here.bus, "append", slow)
    stored = await accept(here)
    await eventually(lambda: stores == 2, "its next attempt is being stored")
    cancelled = asyncio.create_task(queue_of(here).cancel(stored, ME))
    await eventually(lambda: (_entry(here, stored).waiters or []) != [], "somebody takes it back")
    go_on.set()
    outcome = await asyncio.wait_for(cancelled, 5)
    assert outcome is not None
    assert (outcome.status, outcome.attempts, len(instance.order)) == ("cancelled", 1, 1)
    await here.route("hello", instance, **policy(backoff_s=3600))
    waits = await accept(here)
    await eventually(lambda: _entry(here, waits).stage is Stage.DELAYED, "it waits for its second attempt")
    outcome = await queue_of(here).cancel(waits, ME)
    assert (outcome.status, outcome.attempts, outcome.started_at) == ("cancelled", 1, None)
    await nothing_left(here)


def _entry(here: World, invocation_id: str) -> Entry:
    work = queue_of(here)._work
    assert work is not None
    found = work.index.get(invocation_id)
    assert found is not None
    return found


async def test_a_call_that_ended_elsewhere_leaves_no_dead_letter(here: World) -> None:
    made: list[str] = []

    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        succeeded = replace(await there(), status="succeeded")
        await here.invocations.create(made[0], succeeded)
        return web.Response(status=500)

    async def there() -> Invocation:
        await eventually(lambda: made != [], "its id is known")
        found = await queue_of(here).state(made[0])
        assert found is not None
        return found

    await here.route("hello", await here.instance(behaviour=behave), **policy(max_attempts=1))
    made.append(await accept(here))
    assert (await ended(here, made[0])).status == "succeeded"
    await nothing_left(here)
    assert await letters(here) == {}


async def test_a_mistake_of_ours_stops_neither_the_reading_nor_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(queue=QueueBounds(longest_pause_s=0.05)) as here:
        await here.route("hello", await here.instance())
        work = queue_of(here)._work
        assert work is not None
        failures = ["once"]
        newest, told = here.bus.last_sequence, list[str]()

        async def failing(stream: str) -> int:
            if failures:
                raise RuntimeError(failures.pop())
            return await newest(stream)

        async def deliver(call: QueuedCall, _: Invocation) -> Delivered:
            told.append(call.invocation_id)
            if len(told) == 1:
                raise RuntimeError("once")
            return Delivered()

        monkeypatch.setattr(here.bus, "last_sequence", failing)
        monkeypatch.setattr(work.runner, "_deliver", deliver)
        await eventually(lambda: not failures, "it failed")
        theirs = await _from_another_invoker(here)
        assert (await ended(here, theirs)).status == "succeeded"
        made = await accept(here, callback=Callback("https://hooks.example/"))
        await eventually(lambda: told == [made, made], "its callback is tried again")
        await nothing_left(here)


async def _from_another_invoker(here: World) -> str:
    call = QueuedCall(
        "theirs",
        "acme",
        "hello",
        "uid-1",
        None,
        "POST",
        "/",
        (("Host", "functions"),),
        "",
        CalledBy(LOCAL_ADMIN, "admin"),
        LOCAL_ADMIN,
        time.time(),
    )
    await here.bus.append("ffx.queue.acme.hello.theirs", encode(call), headers=write_head(head_of(call)))
    return call.invocation_id


async def test_a_bus_that_goes_as_the_lease_is_taken_stops_nothing_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    subscribe, failures = bus.subscribe, ["NATS does not answer"]

    async def failing(subject: str, *given: Any, **named: Any) -> Any:
        if subject == QUEUE_STATE_SUBJECT and failures:
            raise Unavailable(failures.pop())
        return await subscribe(subject, *given, **named)

    monkeypatch.setattr(bus, "subscribe", failing)
    async with world(bus=bus, queue=QueueBounds(lease_s=0.3, renew_s=0.05)) as here:
        await here.route("hello", await here.instance())
        leases = here.bus.bucket(LEASES.name, LeaseRecord)

        async def renewed() -> bool:
            now = await leases.get("queue")
            return now is not None and now.revision > 10

        await awaited(renewed, "the lease is renewed for longer than it lasts", within_s=10)
        assert not failures
        assert (await ended(here, await accept(here))).status == "succeeded"


async def test_who_takes_back_a_call_of_a_queue_that_another_one_works_on_now_is_told() -> None:
    async with world(queue=QueueBounds(renew_s=0.05)) as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance)
        made = await accept(here)
        await eventually(lambda: instance.running == 1, "it runs")
        entry = _entry(here, made)
        entry.waiters = [asyncio.get_running_loop().create_future()]
        await here.bus.bucket(LEASES.name, LeaseRecord).put("queue", LeaseRecord("invoker.other", "x", 0.0), ttl_s=600)
        with pytest.raises(Unavailable, match="Another invoker"):
            await asyncio.wait_for(entry.waiters[0], 5)
