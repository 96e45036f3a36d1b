"""Queued calls in an invoker's world: made, waited for, and what is left of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from faasioflex.bus.buckets import CALLS, DEAD_LETTERS
from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.badge import Badge
from faasioflex.invoker.body import Body
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import Caller
from faasioflex.invoker.front.door import caller_of
from faasioflex.invoker.queue.options import CallOptions
from faasioflex.invoker.queue.service import Queue
from faasioflex.invoker.target import Target
from faasioflex.model.function import AsyncPolicy
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.invocation import ENDED, Invocation
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import DeadLetter
from support.deadline import awaited
from support.fake_instance import Behaviour
from support.invoker_world import World

QUICK = AsyncPolicy(backoff_s=0.02)


def answering(*answers: web.Response | int) -> Behaviour:
    """A behaviour: the answers one after the other, the last one for ever."""
    left = list(answers)

    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        now = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=now, text=str(now)) if isinstance(now, int) else now

    return behave


def queue_of(here: World) -> Queue:
    return here.invoker._queue


def caller(here: World, pid: str = LOCAL_ADMIN) -> Caller:
    return caller_of(here.identity.directory, Badge(pid, pid, "", time.time()), time.time())


def call(here: World, name: str = "hello", *, body: bytes = b"{}", path: str = "/", pid: str = LOCAL_ADMIN) -> Call:
    return Call(
        target=Target(FunctionName("acme", name), path),
        method="POST",
        headers=[(b"Host", b"functions"), (b"Content-Type", b"application/json")],
        body=Body(None, whole=body),
        request_id="r-1",
        caller=caller(here, pid),
    )


async def accept(
    here: World, name: str = "hello", *, body: bytes = b"{}", path: str = "/", pid: str = LOCAL_ADMIN, **options: Any
) -> str:
    """Its id."""
    made = await queue_of(here).accept(call(here, name, body=body, path=path, pid=pid), CallOptions(**options))
    return made.invocation_id


async def ended(here: World, invocation_id: str) -> Invocation:
    """The outcome, when it is there."""
    found: list[Invocation] = []

    async def there() -> bool:
        entry = await here.invocations.get(invocation_id)
        found[:] = [entry.value] if entry is not None and entry.value.status in ENDED else []
        return bool(found)

    await awaited(there, f"{invocation_id} has ended")
    return found[0]


async def nothing_left(here: World) -> None:
    """The stream is empty."""

    async def empty() -> bool:
        assert isinstance(here.bus, MemoryBus)
        return not here.bus._streams[CALLS.name]._messages

    await awaited(empty, "the messages of ended calls are gone")


async def letters(here: World) -> dict[str, DeadLetter]:
    """By id."""
    found = await here.bus.bucket(DEAD_LETTERS.name, DeadLetter).list()
    return {entry.value.call.invocation_id: entry.value for entry in found}


def policy(**fields: Any) -> dict[str, Any]:
    """Of a route."""
    return {"asynchronous": replace(QUICK, **fields)}
