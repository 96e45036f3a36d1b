"""Calls of functions without an instance."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.function import Limits
from faasioflex.model.messages import WakeReply, WakeRequest
from faasioflex.model.route import FunctionRoute, RevisionRoute
from support.deadline import eventually
from support.invoker_world import GATEWAY, World, world


async def test_two_hundred_first_calls_make_one_wake(here: World) -> None:
    await here.route("hello", limits=Limits(concurrency=500))
    gate = asyncio.Event()

    async def slowly(request: WakeRequest) -> WakeReply:
        await gate.wait()
        return await here.start_for_wake(request)

    here.on_wake = slowly
    calls = [asyncio.create_task(here.call("POST", f"/f/acme/hello?{number}", data=b"x")) for number in range(200)]
    await eventually(lambda: here.invoker._admission.total == 200, "all wait")
    gate.set()
    assert {status for status, _ in await asyncio.gather(*calls)} == {200}
    assert len(here.wakes) == 1
    assert (here.wakes[0].namespace, here.wakes[0].name, here.wakes[0].revision) == ("acme", "hello", 1)
    assert len(here.instances[0].seen) == 200
    assert here.invoker._admission.total == 0


async def test_a_call_that_waited_for_a_start_says_how_long(here: World) -> None:
    await here.route("hello")
    async with here.request("GET", "/f/acme/hello") as got:
        assert got.headers["Server-Timing"].startswith("ffx-start;dur=")
        assert float(got.headers["Server-Timing"].partition("dur=")[2]) > 0
    async with here.request("GET", "/f/acme/hello") as got:
        assert "Server-Timing" not in got.headers
    assert len(here.wakes) == 1


async def test_an_instance_may_be_used_before_its_route_has_come(here: World) -> None:
    await here.route("hello")

    async def without_route(_: WakeRequest) -> WakeReply:
        instance = await here.instance()
        return WakeReply(instance.endpoint.instance, instance.endpoint.address)

    here.on_wake = without_route
    assert (await here.call())[0] == 200


async def test_a_frozen_instance_is_asked_for_before_a_call_goes_to_it(here: World) -> None:
    instance = await here.instance()
    frozen = replace(instance.endpoint, frozen=True)
    route = FunctionRoute("uid-1", "private", {1: 100}, {1: RevisionRoute(Limits(), (frozen,))})
    await here.put("hello", route)

    async def thaw(_: WakeRequest) -> WakeReply:
        assert len(here.wakes) > 1 or not instance.seen
        return WakeReply(instance.endpoint.instance, instance.endpoint.address)

    here.on_wake = thaw
    assert (await here.call())[0] == 200
    await here.put("hello", replace(route, message="a write from before the thaw"))
    assert (await here.call())[0] == 200
    assert len(here.wakes) == 2
    awake = replace(route, revisions={1: RevisionRoute(Limits(), (instance.endpoint,))})
    await here.put("hello", awake)
    assert (await here.call())[0] == 200
    assert len(here.wakes) == 2
    await here.put("hello", route)
    assert (await here.call())[0] == 200
    assert len(here.wakes) == 3


async def test_a_full_node_is_said_with_a_time_to_come_again(here: World) -> None:
    await here.route("hello")

    async def full(_: WakeRequest) -> WakeReply:
        return WakeReply(code="node-full", message="the memory is in use: call again", status=503)

    here.on_wake = full
    problem = await here.problem("POST", data=b"x")
    assert (problem["code"], problem["status"], problem["retry_after"]) == ("node-full", 503, "5")


async def test_beyond_concurrency_and_queue_calls_are_refused_while_it_starts(here: World) -> None:
    await here.route("hello", limits=Limits(concurrency=2, queue=3))
    gate = asyncio.Event()

    async def slowly(request: WakeRequest) -> WakeReply:
        await gate.wait()
        return await here.start_for_wake(request)

    here.on_wake = slowly
    calls = [asyncio.create_task(here.call()) for _ in range(5)]
    await eventually(lambda: here.invoker._admission.total == 5, "five wait")
    problem = await here.problem("POST", data=b"x")
    assert (problem["code"], problem["status"], problem["retry_after"]) == ("queue-full", 429, "1")
    calls[0].cancel()
    await eventually(lambda: here.invoker._admission.total == 4, "the place of who left is free")
    calls[0] = asyncio.create_task(here.call())
    gate.set()
    assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 5


async def test_the_platform_holds_so_many_calls_and_bytes_and_no_more() -> None:
    async with world(bounds=replace(Bounds(), held_calls=1, held_bytes=1000)) as here:
        await here.route("hello")
        gate = asyncio.Event()

        async def slowly(request: WakeRequest) -> WakeReply:
            await gate.wait()
            return await here.start_for_wake(request)

        here.on_wake = slowly
        problem = await here.problem("POST", data=b"x" * 1001)
        assert (problem["code"], problem["retry_after"]) == ("queue-full", "1")
        first = asyncio.create_task(here.call("POST", data=b"x" * 900))
        await eventually(lambda: here.invoker._admission.total == 1, "one waits")
        assert (await here.problem())["code"] == "queue-full"
        gate.set()
        assert (await first)[0] == 200
        await eventually(lambda: here.invoker._admission.held_bytes == 0, "its bytes are free")
        assert (await here.call("POST", data=b"x" * 900))[0] == 200


async def test_what_a_start_failed_with_is_the_answer_of_all_that_wait(here: World) -> None:
    await here.route("hello")
    gate = asyncio.Event()

    async def fail(_: WakeRequest) -> WakeReply:
        await gate.wait()
        return WakeReply(code="start-failed", message="it says: no module named x", status=503)

    here.on_wake = fail
    calls = [asyncio.create_task(here.problem()) for _ in range(20)]
    await eventually(lambda: here.invoker._admission.total == 20, "all wait")
    gate.set()
    for problem in await asyncio.gather(*calls):
        assert (problem["status"], problem["code"], problem["detail"]) == (
            503,
            "start-failed",
            "it says: no module named x",
        )
    assert (await here.problem())["code"] == "start-failed"
    assert len(here.wakes) == 1, "right after it nobody is woken again"
    here.on_wake = here.start_for_wake
    await here.route("hello", function_uid="uid-1")
    assert (await here.call())[0] == 200, "a new route makes it worth a try"


async def test_a_start_that_takes_too_long_is_given_up() -> None:
    async with world(bounds=replace(Bounds(), start_allowance_s=0.1)) as here:
        await here.route("hello", limits=Limits(queue_wait_s=0.1))

        async def never(_: WakeRequest) -> None:
            await asyncio.Event().wait()

        here.on_wake = never
        problem = await here.problem()
        assert (problem["status"], problem["code"]) == (503, "start-failed")
        assert problem["retry_after"]


async def test_a_wake_is_repeated_when_the_manager_that_had_it_is_gone() -> None:
    async with world(bounds=replace(Bounds(), wake_refresh_s=0.2)) as here:
        await here.route("hello")

        async def first_is_lost(request: WakeRequest) -> WakeReply | None:
            if len(here.wakes) == 1:
                return None
            return await here.start_for_wake(request)

        here.on_wake = first_is_lost
        assert (await here.call())[0] == 200
        assert len(here.wakes) == 2


async def test_while_nobody_answers_wakes_calls_are_held_for_a_time() -> None:
    async with world(bounds=replace(Bounds(), away_hold_s=0.5, wake_pause_s=0.02)) as here:
        await here.route("hello")

        async def away(_: WakeRequest) -> WakeReply:
            return WakeReply(code="unavailable", message="the launcher is away", status=503)

        here.on_wake = away
        begun = time.monotonic()
        problem = await here.problem()
        assert (problem["status"], problem["code"], problem["retry_after"]) == (503, "unavailable", "2")
        assert time.monotonic() - begun >= 0.5
        waiting = asyncio.create_task(here.call())
        await eventually(lambda: here.invoker._admission.total == 1, "it waits")
        here.on_wake = here.start_for_wake
        assert (await waiting)[0] == 200


async def test_an_unknown_function_is_asked_of_the_leader_before_it_is_404(here: World) -> None:
    """The copy is made blind: what is written is known to the leader alone."""
    await here.invoker._routes._mirror.stop()
    instance = await here.instance()
    described = RevisionRoute(Limits(), (instance.endpoint,))
    await here.routes.put("acme.new", FunctionRoute("u", "private", {1: 100}, {1: described}))
    assert (await here.call("GET", "/f/acme/new"))[0] == 200
    assert (await here.problem("GET", "/f/acme/newer"))["code"] == "function-not-found"


async def test_a_flood_of_unknown_names_does_not_reach_the_registry(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    bucket = here.invoker._routes._bucket
    get = bucket.get

    async def counted(key: str) -> object:
        asked.append(key)
        return await get(key)

    monkeypatch.setattr(bucket, "get", counted)
    answers = await asyncio.gather(*(here.call("GET", f"/f/acme/n{number}") for number in range(400)))
    assert {status for status, _ in answers} == {404}
    assert len(asked) < 200
    asked.clear()
    answers = await asyncio.gather(*(here.call("GET", "/f/acme/n1") for _ in range(100)))
    assert len(asked) <= 2


async def test_deleting_and_deleted_functions_are_unknown(here: World) -> None:
    await here.route("hello", await here.instance())
    assert (await here.call())[0] == 200
    await here.route("hello", deleting=True)
    assert (await here.problem())["code"] == "function-not-found"
    await here.routes.delete("acme.hello")
    assert (await here.problem())["code"] == "function-not-found"


async def test_calls_that_wait_for_a_function_that_is_deleted_are_404(here: World) -> None:
    await here.route("hello")

    async def never(_: WakeRequest) -> None:
        await asyncio.Event().wait()

    here.on_wake = never
    calling = asyncio.create_task(here.problem())
    await eventually(lambda: here.invoker._admission.total == 1, "it waits")
    await here.routes.delete("acme.hello")
    assert (await calling)["code"] == "function-not-found"


async def test_nothing_serves_because_it_failed(here: World) -> None:
    await here.put("hello", FunctionRoute("u", "private", {}, {}, message="Revision 1 failed: SyntaxError in main.py"))
    problem = await here.problem()
    assert (problem["status"], problem["code"]) == (503, "start-failed")
    assert "SyntaxError" in problem["detail"]


async def test_a_function_that_is_being_built_is_waited_for(here: World) -> None:
    await here.put("hello", FunctionRoute("uid-1", "private", {}, {}, message="Revision 1 is building"))
    calling = asyncio.create_task(here.call())
    await eventually(lambda: here.invoker._admission.total == 1, "it waits")
    await here.route("hello", await here.instance())
    assert (await calling)[0] == 200


async def test_the_split_is_followed_and_a_named_revision_wins() -> None:
    chances = iter([0.0, 0.89, 0.9, 0.99])
    async with world(chance=lambda: next(chances)) as here:
        one, two = await here.instance(), await here.instance()
        revisions = {1: RevisionRoute(Limits(), (one.endpoint,)), 2: RevisionRoute(Limits(), (two.endpoint,))}
        await here.put("hello", FunctionRoute("u", "private", {1: 90, 2: 10}, revisions))
        served = []
        for _ in range(4):
            async with here.request("GET", "/f/acme/hello") as got:
                served.append(got.headers["Ffx-Revision"])
        assert served == ["1", "1", "2", "2"]
        named = {**GATEWAY, "x-ffx-namespace": "acme", "x-ffx-function": "hello", "x-ffx-revision": "2"}
        async with here.request("GET", "/", headers=named) as got:
            assert got.headers["Ffx-Revision"] == "2"
