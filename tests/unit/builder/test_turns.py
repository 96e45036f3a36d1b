"""Turns of builds: bounded, fair between namespaces, and given back whatever happens."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from faasioflex.manager.builder.turns import Turns


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Builds:
    """Builds that go on until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.running: list[str] = []

    def start(self, name: str) -> asyncio.Task[None]:
        """Of the namespace that is the name's first letter."""
        return asyncio.create_task(self._build(name))

    async def _build(self, name: str) -> None:
        async with self._turns.taken(name[0]):
            self.running.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.running.remove(name)


async def test_hanging_builds_of_one_namespace_leave_room_for_others() -> None:
    builds = Builds(Turns(at_once=2, most=4))
    tasks = {name: builds.start(name) for name in ("a1", "a2", "a3", "b1", "b2", "c1", "d1")}
    await settled()
    assert builds.running == ["a1", "a2", "b1", "c1"]
    tasks["b1"].cancel()
    await settled()
    assert builds.running == ["a1", "a2", "c1", "b2"]  # its own only one, and before d1
    for name in ("a1", "a2", "c1"):
        tasks[name].cancel()
    await settled()
    assert set(builds.running) == {"a3", "b2", "d1"}
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_who_stops_waiting_takes_no_turn() -> None:
    builds = Builds(Turns(at_once=1, most=1))
    first, second, third = (builds.start(name) for name in ("a1", "a2", "b1"))
    await settled()
    second.cancel()
    await settled()
    first.cancel()
    await settled()
    assert builds.running == ["b1"]
    third.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)


async def test_a_turn_that_ends_at_once_is_given_on() -> None:
    turns = Turns(at_once=1, most=1)
    async with AsyncExitStack() as kept:
        await kept.enter_async_context(turns.taken("a"))
        waiting = asyncio.create_task(kept.enter_async_context(turns.taken("b")))
        await settled()
        assert not waiting.done()
        waiting.cancel()
        await settled()
    async with asyncio.timeout(5), turns.taken("c"):
        pass
