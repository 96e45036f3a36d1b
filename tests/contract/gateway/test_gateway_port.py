"""What every driver of the gateway port does.

``envoy`` carries real calls; ``apisix`` writes to a stand-in of its Admin API over a real etcd (see support/apisix.py), since
APISIX cannot be installed here; ``memory`` only keeps the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faasioflex.gateway.memory import MemoryGateway
from faasioflex.gateway.port import Capabilities, Gateway
from support import etcd
from support.apisix import apisix_world
from support.envoy import Stack, revision, stack, table
from support.origin import until


@asynccontextmanager
async def made(driver: str) -> AsyncIterator[tuple[Gateway, Stack | None]]:
    if driver == "envoy":
        async with stack() as world:
            yield world.gateway, world
        return
    if driver == "apisix":
        if etcd.PROGRAM is None:
            pytest.skip(etcd.WITHOUT)
        with etcd.etcd_url() as url:
            async with apisix_world(url) as apart:
                yield apart.gateway, None
        return
    gateway = MemoryGateway()
    await gateway.start()
    yield gateway, None
    await gateway.close()


@pytest.fixture(params=["envoy", "apisix", "memory"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Gateway, Stack | None]]:
    async with made(request.param) as both:
        yield both


@pytest.fixture(params=["envoy"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    """Drivers with a proxy."""
    async with made(request.param) as (_, carrying):
        assert carrying is not None
        yield carrying


async def test_tables_are_taken_one_after_the_other_also_twice_and_empty(rig: tuple[Gateway, Stack | None]) -> None:
    gateway, _ = rig
    for made_table in (table(1), table(2, acme_a=[revision(1)]), table(2, acme_a=[revision(1)]), table(3), table(1)):
        await gateway.apply(made_table)


async def test_loads_tell_idle_from_blind(rig: tuple[Gateway, Stack | None]) -> None:
    gateway, _ = rig
    await until(lambda: gateway.loads() is not None)


async def test_calls_are_told_from_the_first_question_on(rig: tuple[Gateway, Stack | None]) -> None:
    gateway, _ = rig
    assert await gateway.calls() == ()
    await gateway.close()
    await gateway.start()
    assert await gateway.calls() == ()


async def test_it_ends_and_starts_again(rig: tuple[Gateway, Stack | None]) -> None:
    gateway, _ = rig
    await gateway.close()
    await gateway.close()
    await gateway.start()
    await gateway.apply(table(5))
    assert isinstance(gateway.capabilities, Capabilities)


async def test_what_was_applied_is_in_force(world: Stack) -> None:
    instances = [await world.instance(f"i{number}") for number in range(3)]
    for number in range(30):
        serving = instances[number % 3]
        await world.gateway.apply(table(number, acme_a=[revision(number, serving)]))
        async with world.client.get(f"{world.url}/f/acme/a/x") as got:
            assert await got.text() in {serving.name, instances[(number - 1) % 3].name}
        # Envoy acknowledges before its workers follow; the one second of grace in DESIGN.md is for that
        await until(lambda expected=serving: answers(world, expected.name), 1)


async def answers(world: Stack, name: str) -> bool:
    return await world.get("/f/acme/a/x") == (200, name)


async def test_functions_without_instances_go_to_the_invoker_as_they_came(world: Stack) -> None:
    await world.gateway.apply(table(1))
    assert await world.get("/f/acme/none/x?y") == (200, "invoker")
    assert world.invoker.seen[-1].path == "/f/acme/none/x?y"


async def test_a_removed_function_is_the_invokers_again(world: Stack) -> None:
    instance = await world.instance("a")
    await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
    await until(lambda: answers(world, "a"))
    await world.gateway.apply(table(2))
    await until(lambda: answers(world, "invoker"), 1)


async def test_applies_at_the_same_time_end_with_all_answered(world: Stack) -> None:
    instance = await world.instance("a")
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(world.gateway.apply(table(number, acme_a=[revision(number, instance)])))
    assert await world.get("/f/acme/a") == (200, "a")
