"""Which instance takes a call; and that a function with kept answers is always the invoker's, also while instances live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from faasioflex.gateway import table as route_table
from faasioflex.identity.access import Access
from faasioflex.model.function import CachePolicy, Cors, Limits
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from support.envoy import revision, stack, table
from support.origin import Origin, until


async def test_the_least_busy_instance_takes_the_next_call() -> None:
    """As many calls as there are places: each finds the free one, none goes round by the invoker."""
    async with stack() as world:
        instances = [await world.instance(f"i{number}") for number in range(6)]
        gate = asyncio.Event()
        taken: list[str] = []

        def holding(name: str) -> None:
            taken.append(name)

        for instance in instances:
            instance.concurrency = 1

            async def held(request: web.BaseRequest, name: str = instance.name) -> web.StreamResponse:
                holding(name)
                await gate.wait()
                return web.Response(text=name)

            instance.handler = held
        await world.gateway.apply(table(1, acme_a=[revision(1, *instances)]))
        for turn in range(3):
            gate.clear()
            taken.clear()
            calls = []
            for number in range(len(instances)):
                calls.append(asyncio.create_task(world.get("/f/acme/a")))
                await until(lambda so_far=number + 1: len(taken) + len(world.invoker.seen) == so_far)  # type: ignore[misc]
            assert sorted(taken) == [each.name for each in instances], f"turn {turn}"
            gate.set()
            await asyncio.gather(*calls)
        assert world.invoker.seen == []


async def test_a_body_of_any_size_goes_on_to_the_invoker_where_the_instance_is_full() -> None:
    """It says so before it reads the body, so what the gateway keeps for a second try is enough."""
    async with stack() as world:
        full = await world.instance("full")
        full.concurrency = 0
        await world.gateway.apply(table(1, acme_a=[revision(1, full, payload_bytes=None)]))

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(24):
                yield b"x" * (1 << 20)

        assert await world.call("POST", "/f/acme/a", data=pieces()) == (200, "invoker")
        assert len(world.invoker.seen[-1].body) == 24 << 20


def route(instance: Origin, **fields: CachePolicy | Cors) -> dict[str, FunctionRoute]:
    described = RevisionRoute(Limits(), (Endpoint("i-1", instance.address),))
    return {"acme.a": FunctionRoute("uid", "public", {1: 100}, {1: described}, **fields)}  # type: ignore[arg-type]


async def test_a_function_with_kept_answers_is_the_invokers_while_its_instances_live() -> None:
    async with stack() as world:
        instance = await world.instance("instance")

        async def apply(number: int, **fields: CachePolicy | Cors) -> None:
            made = route_table.build(route(instance, **fields), number, lambda *_: Access(public=True))
            await world.gateway.apply(made)

        await apply(1)
        assert await world.get("/f/acme/a") == (200, "instance")
        await apply(2, cache=CachePolicy(60.0))
        for method in ("GET", "POST", "HEAD"):
            status, _ = await world.call(method, "/f/acme/a/x?y=1")
            assert status == 200
        assert [each.path for each in world.invoker.seen] == ["/f/acme/a/x?y=1"] * 3
        assert {each.headers["x-ffx-address"] for each in world.invoker.seen} == {"127.0.0.1"}
        cors = Cors(("https://app.example.com",))
        await apply(3, cache=CachePolicy(60.0), cors=cors)
        preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
        async with world.client.options(world.url + "/f/acme/a", headers=preflight) as got:
            assert got.headers["access-control-allow-origin"] == "https://app.example.com"
        assert await world.get("/f/acme/a") == (200, "invoker")
        await apply(4)
        assert await world.get("/f/acme/a") == (200, "instance")


async def test_nobody_says_where_they_come_from() -> None:
    async with stack() as world:
        await world.get("/f/acme/idle", headers={"X-Ffx-Address": "10.0.0.1"})
        assert world.invoker.seen[0].headers["x-ffx-address"] == "127.0.0.1"
