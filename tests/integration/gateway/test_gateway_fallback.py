"""What becomes of a call whose instance is gone, full, or goes away with the call in it."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from support import rawhttp
from support.envoy import Stack, revision, stack, table
from support.origin import Origin, until

BODY = b"x" * 100_000


async def one_killed_instance(world: Stack, *, warm: bool) -> Origin:
    """In the gateway's table, and dead; ``warm``: Envoy has had kept connections to it."""
    victim = await world.instance("victim")
    await world.gateway.apply(table(1, acme_a=[revision(7, victim)]))
    if warm:
        assert await world.get("/f/acme/a/warm") == (200, "victim")
    await victim.die()
    return victim


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("warm", [True, False])
async def test_a_killed_sole_instance_does_not_cost_a_call(method: str, warm: bool) -> None:
    async with stack() as world:
        await one_killed_instance(world, warm=warm)
        if warm:  # the end of the kept connection has been seen
            await until(lambda: is_zero(world, "cluster.f/acme/a/7.upstream_cx_active"))
        for _ in range(5):
            data = BODY if method != "GET" else None
            assert await world.call(method, "/f/acme/a/b%2Fc?d", data=data) == (200, "invoker")
            seen = world.invoker.seen[-1]
            assert (seen.path, seen.body) == ("/b%2Fc?d", BODY if data else b"")
            assert seen.headers["x-ffx-function"] == "a"
            assert seen.headers["x-ffx-revision"] == "7"


async def is_zero(world: Stack, stat: str) -> bool:
    return await world.envoy.stat(stat) == 0


async def test_one_killed_of_several_does_not_cost_a_call() -> None:
    async with stack() as world:
        victim, other = await world.instance("victim"), await world.instance("other")
        await world.gateway.apply(table(1, acme_a=[revision(1, victim, other)]))
        await victim.die()
        got = {await world.call("POST", "/f/acme/a", data=b"x") for _ in range(20)}
        assert got <= {(200, "other"), (200, "invoker")}


async def ends_with_the_call(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.Event().wait()  # never
    raise AssertionError


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_an_idempotent_call_whose_instance_ends_is_repeated(method: str) -> None:
    async with stack() as world:
        victim = await world.instance("victim")
        victim.handler = ends_with_the_call
        await world.gateway.apply(table(1, acme_a=[revision(1, victim)]))
        status, text = await world.call(method, "/f/acme/a", data=BODY if method == "PUT" else None)
        assert (status, text) == (200, "" if method == "HEAD" else "invoker")
        assert world.invoker.seen[0].body == (BODY if method == "PUT" else b"")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_another_call_whose_instance_ends_is_told_so_and_never_repeated(method: str) -> None:
    async with stack() as world:
        victim = await world.instance("victim")
        victim.handler = ends_with_the_call
        await world.gateway.apply(table(1, acme_a=[revision(1, victim)]))
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/a", method=method, body=b"x"))
        assert answer.status == 502
        assert answer.problem()["code"] == "instance-ended"
        assert "memory" in answer.problem()["detail"]
        assert world.invoker.seen == []


async def test_a_full_instance_passes_the_call_to_the_invoker() -> None:
    async with stack() as world:
        full = await world.instance("full")
        full.concurrency = 0
        await world.gateway.apply(table(1, acme_a=[revision(1, full)]))
        for method in ("GET", "POST"):
            async with world.client.request(method, f"{world.url}/f/acme/a", data=BODY) as got:
                assert (got.status, await got.text()) == (200, "invoker")
                assert not [name for name in got.headers if name.lower().startswith("x-ffx-")]
            assert world.invoker.seen[-1].body == BODY


async def test_a_body_as_large_as_the_default_limit_survives_the_overflow() -> None:
    async with stack() as world:
        full = await world.instance("full")
        full.concurrency = 0
        await world.gateway.apply(table(1, acme_a=[revision(1, full)]))
        body = b"y" * (6 << 20)
        assert await world.call("POST", "/f/acme/a", data=body) == (200, "invoker")
        assert world.invoker.seen[-1].body == body


async def test_overflow_of_several_instances() -> None:
    async with stack() as world:
        instances = [await world.instance(name) for name in ("a", "b", "c")]
        gate = asyncio.Event()

        async def held(request: web.BaseRequest) -> web.StreamResponse:
            await gate.wait()
            return web.Response(text="instance")

        for instance in instances:
            instance.concurrency = 1
            instance.handler = held
        await world.gateway.apply(table(1, acme_a=[revision(1, *instances)]))
        calls = [asyncio.create_task(world.call("POST", "/f/acme/a", data=b"x")) for _ in range(30)]
        await until(lambda: len(world.invoker.seen) >= 27)
        gate.set()
        assert all(status == 200 for status, _ in await asyncio.gather(*calls))


async def test_a_429_of_the_function_itself_is_its_answer() -> None:
    async with stack() as world:
        busy = await world.instance("busy")

        async def limited(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=429, text="mine")

        busy.handler = limited
        await world.gateway.apply(table(1, acme_a=[revision(1, busy)]))
        assert await world.get("/f/acme/a") == (429, "mine")
        assert world.invoker.seen == []


async def test_a_functions_own_errors_eject_nothing_and_dead_instances_are_left_alone() -> None:
    async with stack() as world:
        ejections = "cluster.f/acme/a/1.outlier_detection.ejections_enforced_total"
        sick = await world.instance("sick")

        async def fails(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=[500, 502, 503, 504][int(request.rel_url.query["n"]) % 4], text="sick")

        sick.handler = fails
        await world.gateway.apply(table(1, acme_a=[revision(1, sick)]))
        for number in range(40):
            status, text = await world.get(f"/f/acme/a?n={number}")
            assert (status, text) == ([500, 502, 503, 504][number % 4], "sick")
        assert await world.envoy.stat(ejections) == 0
        await sick.die()
        for _ in range(5):
            assert await world.get("/f/acme/a?n=0") == (200, "invoker")
        assert await world.envoy.stat(ejections) >= 1


@pytest.mark.parametrize("path", ["/f/acme/idle", "/functions", "/f/acme/full"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_calls_wait_while_one_of_our_parts_restarts(path: str, method: str) -> None:
    async with stack() as world:
        full = await world.instance("full")
        full.concurrency = 0
        await world.gateway.apply(table(1, acme_full=[revision(1, full)]))
        part = world.api if path == "/functions" else world.invoker
        await part.die()
        call = asyncio.create_task(world.call(method, path, data=b"x"))
        retries = {"/functions": "ffx-api", "/f/acme/idle": "ffx-invoker"}.get(path, "f/acme/full/1")

        async def has_tried() -> bool:
            return await world.envoy.stat(f"cluster.{retries}.upstream_rq_retry") >= 8

        await until(has_tried)
        await part.start()
        assert await call == (200, part.name)


async def test_a_part_that_stays_away_ends_in_a_problem() -> None:
    async with stack() as world:
        await world.api.die()
        started = asyncio.get_running_loop().time()
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/functions"))
        assert answer.status == 503
        assert answer.problem()["code"] == "unavailable"
        assert answer.headers["retry-after"] == "2"
        assert asyncio.get_running_loop().time() - started > 1.5


async def test_a_post_inside_the_api_when_it_ends_is_told_so() -> None:
    async with stack() as world:
        world.api.handler = ends_with_the_call
        answer = await rawhttp.send(world.envoy.port, rawhttp.request("/functions/register", method="POST", body=b"{}"))
        assert answer.status == 503
        assert answer.problem()["code"] == "unavailable"
        assert "not repeated" in answer.problem()["detail"]


async def test_idle_connections_end_before_the_runtime_ends_them() -> None:
    """Else a POST would now and then be sent on a connection that its runtime has just closed."""
    async with stack(upstream_idle_s=0.3) as world:
        assert world.base.upstream_idle_s == 0.3
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        assert await world.get("/f/acme/a") == (200, "a")
        assert await world.envoy.stat("cluster.f/acme/a/1.upstream_cx_active") == 1
        await until(lambda: is_zero(world, "cluster.f/acme/a/1.upstream_cx_active"))
        assert await world.envoy.stat("cluster.f/acme/a/1.upstream_cx_destroy_remote") == 0


async def test_a_client_that_leaves_takes_its_call_along() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        left = asyncio.Event()
        here = asyncio.Event()

        async def waits(request: web.BaseRequest) -> web.StreamResponse:
            here.set()
            try:
                await asyncio.Event().wait()  # never
            finally:
                left.set()
            raise AssertionError

        instance.handler = waits
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        call = asyncio.create_task(world.get("/f/acme/a"))
        await here.wait()
        call.cancel()
        with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
            await call
        async with asyncio.timeout(10):
            await until(lambda: is_zero(world, "cluster.f/acme/a/1.upstream_rq_active"))
