"""A world whose function ``acme/hello`` has a cache policy, and a clock that tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.function import CachePolicy
from support.fake_instance import Behaviour, FakeInstance
from support.invoker_world import World, world

POLICY = CachePolicy(60.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """A function that says how often it was called; ``fields`` go with every answer."""

    def __init__(self, status: int = 200, **fields: str) -> None:
        self.calls = 0
        self.status = status
        self.fields = {name.replace("_", "-"): value for name, value in fields.items()}
        self.requests: list[dict[str, str]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls += 1
        self.requests.append({name.lower(): value for name, value in request.headers.items()})
        await request.read()
        return web.Response(status=self.status, text=f"{self.calls} {request.raw_path}", headers=self.fields)


class Cached:
    def __init__(self, here: World, clock: Clock, instance: FakeInstance) -> None:
        self.world, self.clock, self.instance = here, clock, instance

    async def serve(self, behaviour: Behaviour, policy: CachePolicy | None = POLICY, **route: Any) -> None:
        self.instance.behaviour = behaviour
        await self.world.route("hello", self.instance, cache=policy, **route)

    async def ask(
        self, method: str = "GET", path: str = "/x", headers: dict[str, str] | None = None, **how: Any
    ) -> tuple[int, str, dict[str, str]]:
        async with self.world.request(method, f"/f/acme/hello{path}", headers=headers, **how) as got:
            fields = {name.lower(): value for name, value in got.headers.items()}
            return got.status, await got.text(), fields

    async def told(self, *how: Any, **more: Any) -> str:
        """The Cache-Status of an answer, without our name."""
        _, _, fields = await self.ask(*how, **more)
        name, _, rest = fields["cache-status"].partition("; ")
        assert name == "faasioflex"
        return rest

    @property
    def store(self) -> Any:
        return self.world.invoker._results.store


@asynccontextmanager
async def cached_world(entry_bytes: int = 50_000) -> AsyncIterator[Cached]:
    clock = Clock()
    async with world(clock=clock, bounds=Bounds(cache_bytes=4 * entry_bytes, cache_entry_bytes=entry_bytes)) as made:
        yield Cached(made, clock, await made.instance())
