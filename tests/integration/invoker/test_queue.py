"""Asynchronous calls in an invoker: stored, run in their turn, again where that may help, ended once."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from faasioflex.bus.buckets import CALLS, RESULT_OBJECTS
from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.queue.options import QueueBounds
from faasioflex.model.errors import (
    DeadLetterNotFound,
    FunctionNotFound,
    Invalid,
    InvocationNotFound,
    PayloadTooLarge,
    TooManyCalls,
    WrongState,
)
from faasioflex.model.function import Limits
from faasioflex.model.invocation import CalledBy
from support.deadline import awaited, eventually
from support.invoker_world import World, world
from support.queue_world import accept, answering, ended, letters, nothing_left, policy, queue_of

ME = CalledBy("u-1", "me@example.test")


async def test_a_call_is_stored_before_it_is_accepted_runs_as_its_caller_and_leaves_an_outcome_only(
    here: World,
) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    made = await accept(here, body=b'{"x": 1}', path="/a?b=1")
    assert isinstance(here.bus, MemoryBus)
    (message,) = here.bus._streams[CALLS.name]._messages.values()
    assert message.subject == f"ffx.queue.acme.hello.{made}"
    await eventually(lambda: instance.running == 1, "it runs")
    running = await queue_of(here).state(made)
    assert running is not None
    assert (running.status, running.asynchronous) == ("running", True)
    instance.hold.set()
    outcome = await ended(here, made)
    assert (outcome.status, outcome.attempts, outcome.revision) == ("succeeded", 1, 1)
    assert outcome.principal is not None
    assert outcome.principal.name == "admin"
    seen = instance.seen[0]
    assert (seen.path, seen.body, seen.headers["x-ffx-user"]) == ("/a?b=1", b'{"x": 1}', "u-local")
    assert (seen.headers["x-ffx-invocation-id"], seen.headers["x-ffx-attempt"]) == (made, "1")
    await nothing_left(here)
    assert await queue_of(here).state(made) == outcome


async def test_a_call_wakes_its_function(here: World) -> None:
    await here.route("hello")
    assert (await ended(here, await accept(here))).status == "succeeded"
    assert here.wakes[0].waiting == 1


async def test_a_failure_is_tried_again_when_the_function_says(here: World) -> None:
    later = web.Response(status=503, headers={"Retry-After": "1"})
    instance = await here.instance(behaviour=answering(later, 500, 200))
    await here.route("hello", instance, **policy())
    began = time.monotonic()
    outcome = await ended(here, await accept(here))
    assert (outcome.status, outcome.attempts) == ("succeeded", 3)
    assert time.monotonic() - began >= 1.0
    assert queue_of(here).totals.retried == 2
    await nothing_left(here)


async def test_a_dead_call_leaves_a_letter_and_is_made_again_as_another_one(here: World) -> None:
    told: list[str] = []

    async def hear(subject: str, _: bytes) -> None:
        told.append(subject)

    await here.bus.subscribe("ffx.event.invocation.>", hear)
    instance = await here.instance(behaviour=answering(500, 500, 200))
    await here.route("hello", instance, **policy(max_attempts=2))
    made = await accept(here, body=b"7")
    outcome = await ended(here, made)
    assert (outcome.status, outcome.attempts) == ("dead", 2)
    assert outcome.error is not None
    assert outcome.error.http_status == 500
    letter = (await letters(here))[made]
    assert (letter.call.attempts, letter.invocation) == (2, outcome)
    await eventually(lambda: told == ["ffx.event.invocation.dead-lettered.acme.hello"], "an event tells of it")
    again = await queue_of(here).redrive(made, ME)
    assert again.redrive_of == made
    assert (await ended(here, again.invocation_id)).status == "succeeded"
    assert await letters(here) == {}
    assert await ended(here, made) == outcome, "what was an outcome stays one"
    with pytest.raises(DeadLetterNotFound):
        await queue_of(here).redrive(made, ME)


async def test_a_dead_letter_stays_where_its_function_is_gone(here: World) -> None:
    await here.route("hello", await here.instance(behaviour=answering(500)), **policy(max_attempts=1))
    made = await accept(here)
    await ended(here, made)
    await here.route("hello", await here.instance(), function_uid="uid-2")
    with pytest.raises(FunctionNotFound, match="stays"):
        await queue_of(here).redrive(made, ME)
    assert list(await letters(here)) == [made]


async def test_what_cannot_get_better_fails_at_once(here: World) -> None:
    told: list[str] = []

    async def hear(subject: str, _: bytes) -> None:
        told.append(subject)

    await here.bus.subscribe("ffx.event.invocation.>", hear)
    await here.route("hello", await here.instance(behaviour=answering(400)), **policy())
    outcome = await ended(here, await accept(here))
    assert (outcome.status, outcome.attempts) == ("failed", 1)
    assert await letters(here) == {}
    await eventually(lambda: told == ["ffx.event.invocation.failed.acme.hello"], "an event tells of it")


async def test_a_call_that_cannot_run_in_time_is_dead(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, **policy(max_age_s=0.2, concurrency=1))
    first, second = await accept(here), await accept(here)
    outcome = await ended(here, second)
    assert (outcome.status, outcome.attempts, outcome.started_at) == ("dead", 0, None)
    assert outcome.error is not None
    assert outcome.error.code == "expired"
    instance.hold.set()
    assert (await ended(here, first)).status == "succeeded", "what runs is not too old"


async def test_a_delayed_call_waits_for_its_time_and_priority_goes_first(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, **policy(concurrency=1))
    await accept(here, path="/?first")
    await eventually(lambda: instance.running == 1, "it runs")
    due = time.time() + 0.3
    delayed = await accept(here, path="/?delayed", not_before=due)
    state = await queue_of(here).state(delayed)
    assert state is not None
    assert (state.status, state.not_before) == ("queued", due)
    last = await accept(here, path="/?low")
    await accept(here, path="/?high", priority=5)
    instance.hold.set()
    await ended(here, last)
    outcome = await ended(here, delayed)
    assert [each for each in instance.order if each != "delayed"] == ["first", "high", "low"]
    assert outcome.started_at is not None
    assert outcome.started_at >= due


async def test_calls_of_a_key_keep_their_order_over_attempts(here: World) -> None:
    instance = await here.instance(behaviour=answering(500, 500, 200))
    await here.route("hello", instance, **policy(order="fifo-per-key"))
    names = ["one", "two", "three"]
    made = [await accept(here, path=f"/?{name}", order_key="k") for name in names]
    for each in made:
        assert (await ended(here, each)).status == "succeeded"
    assert instance.order == ["one", "one", "one", "two", "three"]
    assert instance.most_running == 1


async def test_a_key_makes_a_call_once_for_each_caller(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance, visibility="public")
    await here.identity.user("ann")
    ann = (await here.identity.user("bob")).uid
    await eventually(lambda: ann in here.identity.directory.users.entries, "they are known")
    first = await asyncio.gather(*(accept(here, idempotency_key="k") for _ in range(5)))
    assert len(set(first)) == 1
    other = await accept(here, idempotency_key="k", pid=ann)
    assert other != first[0]
    outcomes = [await ended(here, each) for each in (first[0], other)]
    await nothing_left(here)
    assert await accept(here, idempotency_key="k") == first[0]
    assert await queue_of(here).state(first[0]) == outcomes[0]
    assert len(instance.seen) == 2


async def test_a_key_whose_outcome_is_not_kept_any_more_does_not_run_again(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance, **policy(result_ttl_s=1.0))
    made = await accept(here, idempotency_key="k")
    await ended(here, made)

    async def gone() -> bool:
        return await here.invocations.get(made) is None

    await awaited(gone, "the outcome is gone after its time")
    with pytest.raises(WrongState):
        await accept(here, idempotency_key="k")
    assert len(instance.seen) == 1


async def test_calls_that_wait_or_run_are_taken_back(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, **policy(concurrency=1))
    runs, waits = await accept(here), await accept(here)
    delayed = await accept(here, not_before=time.time() + 3600)
    await eventually(lambda: instance.running == 1, "it runs")
    for each in (waits, delayed, runs):
        outcome = await queue_of(here).cancel(each, ME)
        assert (outcome.status, outcome.error and outcome.error.message) == (
            "cancelled",
            "Cancelled by me@example.test",
        )
        assert await ended(here, each) == outcome
    await eventually(lambda: instance.cancelled == 1, "the function's work is cancelled")
    assert instance.order == [""], "nothing else ran"
    await nothing_left(here)
    with pytest.raises(WrongState):
        await queue_of(here).cancel(runs, ME)
    with pytest.raises(InvocationNotFound):
        await queue_of(here).cancel("nobody", ME)


async def test_a_deleted_functions_calls_end_and_another_one_of_that_name_is_not_called(here: World) -> None:
    await here.route("hello")
    due = time.time() + 0.3
    made = [await accept(here, not_before=due) for _ in range(2)]
    another = await here.instance()
    await here.route("hello", another, function_uid="uid-2")
    for each in made:
        outcome = await ended(here, each)
        assert outcome.status == "failed"
        assert outcome.error is not None
        assert outcome.error.code == "function-not-found"
    assert another.seen == []


async def test_the_policy_is_asked_again_before_a_call_runs(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, visibility="authenticated", **policy(concurrency=1))
    ann = await here.identity.user("ann")
    await eventually(lambda: ann.uid in here.identity.directory.users.entries, "she is known")
    before = await accept(here, path="/?before")
    await eventually(lambda: instance.running == 1, "it runs")
    made = await accept(here, pid=ann.uid, path="/?hers")
    await here.route("hello", instance, visibility="private", **policy(concurrency=1))
    instance.hold.set()
    outcome = await ended(here, made)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code) == ("failed", "function-not-found")
    assert (await ended(here, before)).status == "succeeded"
    assert instance.order == ["before"], "hers never came to it"


async def test_what_cannot_be_accepted_is_refused(here: World) -> None:
    await here.route("hello", limits=Limits(payload_bytes=10))
    with pytest.raises(FunctionNotFound):
        await accept(here, "nobody")
    with pytest.raises(PayloadTooLarge):
        await accept(here, body=b"x" * 11)
    with pytest.raises(Invalid) as error:
        await accept(here, priority=10, order_key="\n", not_before=float("nan"))
    assert [field.pointer for field in error.value.errors] == ["/priority", "/order_key", "/not_before"]


async def test_a_full_queue_says_so() -> None:
    async with world(queue=QueueBounds(per_function=2)) as here:
        instance = await here.instance()
        await here.route("hello", instance)
        later = time.time() + 60
        for _ in range(2):
            await accept(here, not_before=later)
        with pytest.raises(TooManyCalls) as error:
            await accept(here)
        assert error.value.retry_after_s


async def test_large_results_lie_elsewhere_and_go_with_their_outcome(here: World) -> None:
    text = "x" * 1_500_000
    await here.route(
        "hello", await here.instance(behaviour=answering(web.json_response(text))), **policy(result_ttl_s=1.0)
    )
    outcome = await ended(here, await accept(here))
    assert outcome.result is None
    assert outcome.result_object is not None
    objects = here.bus.objects(RESULT_OBJECTS)
    assert await objects.get(outcome.result_object) == f'"{text}"'.encode()

    async def gone() -> bool:
        await queue_of(here)._results.collect()
        return not await objects.names()

    await awaited(gone, "the result is gone")


async def test_a_result_that_is_no_utf_8_is_kept_as_bytes(here: World) -> None:
    body = web.Response(body=b'"\\ud800"', content_type="application/json")
    await here.route("hello", await here.instance(behaviour=answering(body)))
    outcome = await ended(here, await accept(here))
    assert outcome.status == "succeeded"
    assert outcome.result["content_type"] == "application/json"
    said = web.Response(status=400, body=b'{"error": "\\ud800 no"}', content_type="application/json")
    await here.route("other", await here.instance(behaviour=answering(said)))
    failed = await ended(here, await accept(here, "other"))
    assert (failed.status, failed.result, failed.error and failed.error.message) == ("failed", None, "? no")


async def test_a_flood_on_one_function_does_not_hold_up_another() -> None:
    async with world(queue=QueueBounds(runs=20)) as here:
        slow, quick = await here.instance(), await here.instance()
        slow.hold.clear()
        await here.route("slow", slow, limits=Limits(concurrency=100))
        await here.route("quick", quick)
        await asyncio.gather(*(accept(here, "slow") for _ in range(100)))
        await eventually(lambda: slow.running == 10, "the flood has what it may have")
        assert (await ended(here, await accept(here, "quick"))).status == "succeeded"
        assert slow.running == 10
        slow.hold.set()
        await nothing_left(here)


async def test_queued_calls_take_no_place_of_those_that_somebody_waits_for(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, limits=Limits(concurrency=1, queue=1), **policy(concurrency=10))
    made = [await accept(here, path="/?queued") for _ in range(5)]
    await eventually(lambda: instance.running == 1, "one runs, the others wait for the instance")
    somebody = asyncio.create_task(here.call(target="/f/acme/hello?somebody"))
    await eventually(lambda: here.invoker._admission.total == 1, "somebody waits, and was not refused")
    instance.hold.set()
    assert (await somebody)[0] == 200
    for each in made:
        await ended(here, each)
    assert instance.order[:2] == ["queued", "somebody"]


async def test_the_load_report_tells_how_many_may_run(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, **policy(concurrency=2))
    for _ in range(5):
        await accept(here)
    await accept(here, not_before=time.time() + 60)
    await eventually(lambda: instance.running == 2, "two run")
    assert [(str(name), number, count) for name, number, count in queue_of(here).ready()] == [("acme/hello", 1, 3)]
    (depth,) = queue_of(here).depths("acme/hello")
    assert (depth.queued, depth.delayed, depth.running) == (3, 1, 2)
    instance.hold.set()
