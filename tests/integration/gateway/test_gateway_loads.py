"""What Envoy counts on the direct path."""

from __future__ import annotations

import asyncio

from aiohttp import web

from faasioflex.model.messages import RevisionLoad
from support.envoy import Stack, revision, stack, table
from support.origin import until


async def test_calls_in_progress_and_issued_per_revision() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        other = await world.instance("b")
        gate = asyncio.Event()

        async def held(request: web.BaseRequest) -> web.StreamResponse:
            await gate.wait()
            return web.Response(text="a")

        instance.handler = held
        await world.gateway.apply(table(1, acme_a=[revision(3, instance)], acme_b=[revision(7, other)]))
        calls = [asyncio.create_task(world.get("/f/acme/a")) for _ in range(5)]
        seen = Seen(world)
        await until(lambda: seen.look("a").in_progress == 5)
        gate.set()
        await asyncio.gather(*calls)
        await until(lambda: seen.look("a").in_progress == 0)
        for _ in range(7):  # of a cluster that has been reported on: Envoy begins to count with its first report
            await world.get("/f/acme/b")
        await until(lambda: seen.look("b") is not None and seen.issued.get("b") == 7)
        assert seen.issued.get("a", 0) <= 5


async def test_the_invokers_share_is_not_counted_here() -> None:
    async with stack() as world:
        full, other = await world.instance("full"), await world.instance("b")
        full.concurrency = 0
        gate = asyncio.Event()

        async def held(request: web.BaseRequest) -> web.StreamResponse:
            await gate.wait()
            return web.Response(text="x")

        world.invoker.handler = held
        other.handler = held
        await world.gateway.apply(table(1, acme_a=[revision(1, full)], acme_b=[revision(1, other)]))
        calls = [asyncio.create_task(world.get(path)) for path in ("/f/acme/a", "/f/acme/b")]
        seen = Seen(world)
        await until(lambda: seen.look("b").in_progress == 1)
        assert seen.look("a").in_progress == 0
        gate.set()
        await asyncio.gather(*calls)


async def test_blind_is_not_idle() -> None:
    async with stack() as world:
        await until(lambda: world.gateway.loads() is not None)
        await world.envoy.stop()
        await until(lambda: world.gateway.loads() is None)


class Seen:
    def __init__(self, world: Stack) -> None:
        self._world = world
        self._last: dict[str, RevisionLoad] = {}
        self.issued: dict[str, int] = {}

    def look(self, name: str) -> RevisionLoad:
        loads = self._world.gateway.loads() or ()
        for load in loads:
            self._last[load.name] = load
            self.issued[load.name] = self.issued.get(load.name, 0) + load.issued
        missing = RevisionLoad("acme", name, 0, 0, 0)
        return {each.name: each for each in loads}.get(name, self._last.get(name, missing) if not loads else missing)
