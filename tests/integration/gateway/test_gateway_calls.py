"""What Envoy has answered, counted once whatever it took."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from faasioflex.model import durations
from faasioflex.model.messages import RevisionCalls
from support.envoy import Stack, revision, stack, table
from support.origin import Handler, until


async def test_durations_errors_overflow_and_fallback_per_revision() -> None:
    async with stack() as world:
        slow, bad, full, dead = [await world.instance(name) for name in ("slow", "bad", "full", "dead")]
        slow.handler = answering(200, after_s=0.05)
        bad.handler = answering(500)
        full.concurrency = 0
        world.invoker.handler = answering(200, after_s=0.1)
        await world.gateway.apply(
            table(
                1,
                acme_slow=[revision(1, slow)],
                acme_bad=[revision(2, bad)],
                acme_full=[revision(3, full)],
                acme_dead=[revision(4, dead)],
                acme_none=[revision(5)],
            )
        )
        await dead.die()
        seen = Seen(world)
        await seen.look()
        for name, status in (("slow", 200), ("bad", 500), ("full", 200), ("dead", 200), ("none", 200)):
            for _ in range(3):
                assert (await world.get(f"/f/acme/{name}"))[0] == status
        await until(seen.has({name: 3 for name in ("slow", "bad", "full", "dead", "none")}))
        assert {name: count for name, count in seen.errors.items() if count} == {"bad": 3}
        assert seen.revisions == {("slow", 1), ("bad", 2), ("full", 3), ("dead", 4), ("none", 5)}
        for name in ("full", "dead", "none"):  # to the invoker's answer, the first try included
            assert percentile(seen, name) >= 100
        assert 50 <= percentile(seen, "slow") < percentile(seen, "none")
        assert percentile(seen, "bad") < 50


async def test_calls_through_the_catch_all_are_the_invokers_to_count() -> None:
    async with stack() as world:
        seen = Seen(world)
        await seen.look()
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        await world.get("/f/acme/unknown")
        await world.get("/f/acme/a")
        await until(seen.has({"a": 1}))


async def test_a_restarted_envoy_begins_at_nothing() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        routes = table(1, acme_a=[revision(1, instance)])
        await world.gateway.apply(routes)
        seen = Seen(world)
        await seen.look()
        for _ in range(2):
            await world.get("/f/acme/a")
        await until(seen.has({"a": 2}))
        await world.envoy.stop()
        assert await world.gateway.calls() is None
        await world.envoy.start()
        await until(lambda: world.gateway.connected)
        await world.gateway.apply(routes)
        for _ in range(3):
            await world.get("/f/acme/a")
        await until(seen.has({"a": 5}))


def answering(status: int, after_s: float = 0.0) -> Handler:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(after_s)
        return web.Response(status=status)

    return answer


def percentile(seen: Seen, name: str) -> float:
    found = durations.percentile(seen.durations[name], 0.5)
    assert found is not None
    return found


class Seen:
    """Everything that was told so far, by the function's name."""

    def __init__(self, world: Stack) -> None:
        self._world = world
        self.answered: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.durations: dict[str, dict[int, int]] = {}
        self.revisions: set[tuple[str, int]] = set()

    async def look(self) -> None:
        for each in await self._world.gateway.calls() or ():
            self._take(each)

    def has(self, wanted: dict[str, int]) -> Callable[[], Awaitable[bool]]:
        """Exactly so many calls, each with its duration."""

        async def holds() -> bool:
            await self.look()
            timed = {name: sum(counts.values()) for name, counts in self.durations.items()}
            return self.answered == wanted and timed == wanted

        return holds

    def _take(self, told: RevisionCalls) -> None:
        self.answered[told.name] = self.answered.get(told.name, 0) + told.answered
        self.errors[told.name] = self.errors.get(told.name, 0) + told.errors
        durations.add(self.durations.setdefault(told.name, {}), told.durations)
        self.revisions.add((told.name, told.revision))
