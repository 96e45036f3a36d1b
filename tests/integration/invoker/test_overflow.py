"""Instances that are full, and instances that die."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from faasioflex.model.function import Limits
from faasioflex.model.messages import WakeReply, WakeRequest
from support.deadline import eventually
from support.invoker_world import World


async def test_a_full_instance_is_asked_again_in_order_of_arrival(here: World) -> None:
    instance = await here.instance(concurrency=1)
    instance.hold.clear()
    await here.route("hello", instance)  # we are told it takes ten: the gateway has the rest
    calls = []
    for number in range(6):
        calls.append(asyncio.create_task(here.call("GET", f"/f/acme/hello?{number}")))
        await eventually(lambda n=number: instance.running + here.invoker._admission.total == n + 1, "in order")
    instance.hold.set()
    assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 6
    assert instance.order == [str(number) for number in range(6)]
    assert instance.overflows > 0
    assert instance.most_running == 1


async def test_the_overflow_answer_never_reaches_a_client(here: World) -> None:
    instance = await here.instance(concurrency=0)
    await here.route("hello", instance, limits=Limits(queue_wait_s=0.2))
    problem = await here.problem("POST", data=b"x")
    assert (problem["status"], problem["code"], problem["retry_after"]) == (429, "queue-full", "1")
    assert instance.overflows > 3, "it was asked again"
    instance.concurrency = None
    assert (await here.call())[0] == 200


async def test_beyond_the_queue_calls_are_refused(here: World) -> None:
    instance = await here.instance(concurrency=1)
    instance.hold.clear()
    await here.route("hello", instance, limits=Limits(concurrency=1, queue=2))
    calls = [asyncio.create_task(here.call()) for _ in range(3)]
    await eventually(lambda: instance.running == 1 and here.invoker._admission.total == 2, "two wait")
    assert (await here.problem())["code"] == "queue-full"
    assert (await here.problem("POST", data=b"x"))["code"] == "queue-full"
    instance.hold.set()
    assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 3


async def test_a_queue_of_none_refuses_at_once(here: World) -> None:
    instance = await here.instance(concurrency=0)
    await here.route("hello", instance, limits=Limits(queue=0))
    assert (await here.problem())["code"] == "queue-full"
    assert instance.overflows == 1


async def test_a_new_instance_takes_those_that_wait(here: World) -> None:
    full = await here.instance(concurrency=0)
    await here.route("hello", full)
    calling = asyncio.create_task(here.call())
    await eventually(lambda: full.overflows, "it was refused")
    fresh = await here.instance()
    await here.add_endpoint("hello", 1, fresh.endpoint)
    assert (await calling)[0] == 200
    assert len(fresh.seen) == 1


async def test_the_instance_with_the_fewest_calls_comes_first(here: World) -> None:
    several = [await here.instance() for _ in range(3)]
    for instance in several:
        instance.hold.clear()
    await here.route("hello", *several)
    calls = [asyncio.create_task(here.call()) for _ in range(9)]
    await eventually(lambda: sum(instance.running for instance in several) == 9, "all run")
    assert [instance.running for instance in several] == [3, 3, 3]
    for instance in several:
        instance.hold.set()
    await asyncio.gather(*calls)


async def test_a_draining_instance_gets_nothing_new(here: World) -> None:
    from dataclasses import replace

    from faasioflex.model.route import FunctionRoute, RevisionRoute

    old, new = await here.instance(), await here.instance()
    old.hold.clear()
    await here.route("hello", old)
    under_way = asyncio.create_task(here.call())
    await eventually(lambda: old.running, "it runs")
    endpoints = (replace(old.endpoint, draining=True), new.endpoint)
    await here.put("hello", FunctionRoute("uid-1", "private", {1: 100}, {1: RevisionRoute(Limits(), endpoints)}))
    for _ in range(5):
        assert (await here.call())[0] == 200
    assert len(new.seen) == 5
    old.hold.set()
    assert (await under_way)[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_dead_instance_is_set_aside_and_another_takes_the_call(here: World, method: str) -> None:
    dead, alive = await here.instance(), await here.instance()
    await here.route("hello", dead, alive)
    await dead.kill()
    for _ in range(10):
        assert (await here.call(method, data=b"x" if method == "POST" else None))[0] == 200
    assert len(alive.seen) == 10
    assert here.wakes == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_sole_dead_instance_is_replaced_by_a_wake(here: World, method: str) -> None:
    dead = await here.instance()
    await here.route("hello", dead)
    assert (await here.call())[0] == 200  # leaves a connection in the pool
    await dead.kill()
    assert (await here.call(method, data=b"x" if method == "POST" else None))[0] == 200
    assert len(here.wakes) == 1


async def test_a_manager_that_still_offers_the_dead_one_is_asked_again(here: World) -> None:
    dead = await here.instance()
    await here.route("hello", dead)
    await dead.kill()

    async def late(request: WakeRequest) -> WakeReply:
        if len(here.wakes) < 3:
            return WakeReply(dead.endpoint.instance, dead.endpoint.address)
        return await here.start_for_wake(request)

    here.on_wake = late
    assert (await here.call("POST", data=b"x"))[0] == 200
    assert len(here.wakes) == 3


async def test_a_reset_under_way_repeats_what_is_idempotent_and_nothing_else(here: World) -> None:
    begun: list[str] = []

    async def die_once(request: web.BaseRequest) -> web.StreamResponse:
        begun.append(request.method)
        if len(begun) % 2:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="second")

    await here.route("hello", await here.instance(behaviour=die_once))
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        assert (await here.call(method, data=b"x" if method == "PUT" else None))[0] == 200
    assert len(begun) == 10
    for method in ("POST", "PATCH"):
        begun.clear()
        problem = await here.problem(method, data=b"x")
        assert (problem["status"], problem["code"]) == (502, "instance-ended")
        assert begun == [method]


async def test_a_call_that_kills_every_instance_is_not_repeated_for_ever(here: World) -> None:
    begun = 0

    async def die(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    await here.route("hello", await here.instance(behaviour=die))
    assert (await here.problem())["code"] == "instance-ended"
    assert begun == 3


async def test_an_answer_that_is_not_http_is_the_functions_error(here: World) -> None:
    async def nonsense(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await asyncio.Event().wait()
        raise AssertionError

    await here.route("hello", await here.instance(behaviour=nonsense))
    problem = await here.problem("POST", data=b"x")
    assert (problem["status"], problem["code"]) == (500, "function-error")
