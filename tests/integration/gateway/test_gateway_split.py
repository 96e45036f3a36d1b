"""Weighted revisions, canaries, shares without instances, and changes under load."""

from __future__ import annotations

import asyncio
from collections import Counter

from aiohttp import web

from support.envoy import revision, stack, table
from support.origin import until


async def test_each_revision_gets_its_share_and_is_named() -> None:
    async with stack() as world:
        old, new = await world.instance("old"), await world.instance("new")
        await world.gateway.apply(table(1, acme_a=[revision(3, old, percent=80), revision(4, new, percent=20)]))
        counted: Counter[str] = Counter()
        for _ in range(300):
            async with world.client.get(world.url + "/f/acme/a/x") as got:
                counted[await got.text()] += 1
                assert got.headers["ffx-revision"] == {"old": "3", "new": "4"}[await got.text()]
        assert 200 <= counted["old"] <= 280, counted  # 240, seven standard deviations away
        assert {seen.headers["x-ffx-revision"] for seen in old.seen} == {"3"}
        assert {seen.headers["x-ffx-revision"] for seen in new.seen} == {"4"}


async def test_a_share_without_instances_goes_to_the_invoker_with_its_revision_named() -> None:
    async with stack() as world:
        old = await world.instance("old")
        await world.gateway.apply(table(1, acme_a=[revision(3, old, percent=50), revision(4, percent=50)]))
        got = Counter([(await world.call("POST", "/f/acme/a/x", data=b"1"))[1] for _ in range(100)])
        assert got["old"] > 15
        assert got["invoker"] > 15
        for seen in world.invoker.seen:
            assert (seen.path, seen.headers["x-ffx-function"], seen.headers["x-ffx-revision"]) == ("/x", "a", "4")


async def test_a_revision_without_traffic_is_ready_and_gets_none() -> None:
    async with stack() as world:
        old, canary = await world.instance("old"), await world.instance("canary")
        await world.gateway.apply(table(1, acme_a=[revision(3, old), revision(4, canary, percent=0)]))
        assert {await world.get("/f/acme/a") for _ in range(20)} == {(200, "old")}
        clusters = await world.envoy.admin("/clusters")
        assert "f/acme/a/4::" in clusters
        await world.gateway.apply(table(2, acme_a=[revision(3, old, percent=0), revision(4, canary)]))
        assert {await world.get("/f/acme/a") for _ in range(20)} == {(200, "canary")}


async def test_each_revision_is_bound_by_its_runtime_where_a_split_has_two_limits() -> None:
    async with stack() as world:
        old, new = await world.instance("old"), await world.instance("new")
        split = [
            revision(3, old, percent=50, payload_bytes=10),
            revision(4, new, percent=50, payload_bytes=100),
        ]
        await world.gateway.apply(table(1, acme_a=split))
        assert (await world.call("POST", "/f/acme/a", data=b"x" * 50))[0] == 200
        assert (await world.call("POST", "/f/acme/a", data=b"x" * 101))[0] == 413


async def test_no_call_fails_while_everything_changes() -> None:
    """Deploys, scaling from and to zero, removal: make before break."""
    async with stack() as world:
        instances = [await world.instance(f"i{number}") for number in range(6)]
        done = asyncio.Event()
        failures: list[tuple[int, str]] = []
        calls = 0

        async def caller(method: str) -> None:
            nonlocal calls
            while not done.is_set():
                got = await world.call(method, "/f/acme/a/x", data=b"x" if method == "POST" else None)
                calls += 1
                if got[0] != 200:
                    failures.append(got)

        callers = [asyncio.create_task(caller(method)) for method in ("GET", "POST") * 4]
        number = 1
        for round_ in range(40):
            for made in (
                [revision(round_, instances[round_ % 6])],
                [revision(round_, instances[round_ % 6]), revision(round_ + 1, instances[(round_ + 1) % 6], percent=0)],
                [revision(round_, percent=0), revision(round_ + 1, *instances[:3])],
                [],
            ):
                number += 1
                await world.gateway.apply(table(number, acme_a=made) if made else table(number))
        done.set()
        await asyncio.gather(*callers)
        assert not failures
        assert calls > 100


async def test_calls_under_way_outlive_their_revisions_cluster() -> None:
    async with stack(linger_s=0.1) as world:
        instance = await world.instance("a")
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: web.BaseRequest) -> web.StreamResponse:
            entered.set()
            await go_on.wait()
            return web.Response(text="finished")

        instance.handler = slow
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        call = asyncio.create_task(world.call("POST", "/f/acme/a", data=b"x"))
        await entered.wait()
        await world.gateway.apply(table(2))

        async def is_gone() -> bool:
            return "f/acme/a/1" not in await world.envoy.admin("/clusters")

        await until(is_gone)
        go_on.set()
        assert await call == (200, "finished")


async def test_a_call_under_way_can_still_be_repeated_when_its_function_has_left_the_table() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def dies_with_it(request: web.BaseRequest) -> web.StreamResponse:
            entered.set()
            await go_on.wait()
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError

        instance.handler = dies_with_it
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        call = asyncio.create_task(world.get("/f/acme/a"))
        await entered.wait()
        await world.gateway.apply(table(2))
        go_on.set()
        assert await call == (200, "invoker")
