"""Envoy and the control plane end and come back, in any order."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.gateway.envoy.driver import EnvoyGateway
from faasioflex.model.errors import Invalid, Unavailable
from support.envoy import revision, stack, table
from support.origin import until


async def test_envoy_serves_the_api_and_every_function_without_a_control_plane() -> None:
    async with stack(driver=False) as world:
        assert await world.get("/functions") == (200, "api")
        assert await world.call("POST", "/f/acme/a/x", data=b"x") == (200, "invoker")
        assert world.invoker.seen[-1].path == "/f/acme/a/x"
        assert (await world.get("/f/acme/a/%2e%2e/b"))[0] in (400, 200)  # the client may have resolved it


async def test_a_restarted_envoy_serves_without_its_control_plane_and_follows_it_when_it_is_back() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        routes = table(1, acme_a=[revision(1, instance)])
        await world.gateway.apply(routes)
        assert await world.get("/f/acme/a") == (200, "a")

        await world.gateway.close()
        assert await world.get("/f/acme/a") == (200, "a"), "the control plane's end changes nothing"
        await world.envoy.stop()
        started = asyncio.get_running_loop().time()
        await world.envoy.start()
        assert await world.get("/f/acme/a") == (200, "invoker")
        assert await world.get("/functions") == (200, "api")
        assert asyncio.get_running_loop().time() - started < 10

        world.gateway = EnvoyGateway(world.base, acknowledged_s=20)
        await world.gateway.start()
        await world.gateway.apply(routes)
        assert await world.get("/f/acme/a") == (200, "a")


async def test_a_restarted_envoy_gets_what_is_in_force_at_once() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        await world.envoy.stop()
        await world.envoy.start()
        assert await world.get("/f/acme/a") == (200, "a"), "when it listens, it knows the functions"


async def test_a_new_control_plane_disturbs_nothing_and_its_changes_arrive() -> None:
    async with stack() as world:
        one, two = await world.instance("one"), await world.instance("two")
        await world.gateway.apply(table(1, acme_a=[revision(1, one)], acme_gone=[revision(1, two)]))
        done = asyncio.Event()
        answers: set[tuple[int, str]] = set()

        async def caller() -> None:
            while not done.is_set():
                answers.add(await world.call("POST", "/f/acme/a", data=b"x"))

        calling = asyncio.create_task(caller())
        await world.gateway.close()
        world.gateway = EnvoyGateway(world.base, acknowledged_s=20)
        await world.gateway.start()
        await world.gateway.apply(table(2, acme_a=[revision(1, one, two)]))
        done.set()
        await calling
        assert answers <= {(200, "one"), (200, "two")}
        assert await world.get("/f/acme/gone") == (200, "invoker")
        assert "two.sock" in await world.envoy.admin("/clusters")
        assert await world.envoy.stat("cluster_manager.cluster_modified") == 0


async def test_before_the_first_table_envoy_keeps_what_it_has() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        await world.gateway.close()
        world.gateway = EnvoyGateway(world.base)
        await world.gateway.start()
        await until(lambda: world.gateway.connected, 20)
        for _ in range(20):
            assert await world.get("/f/acme/a") == (200, "a")


async def test_without_envoy_apply_says_so_and_envoy_gets_the_table_when_it_comes() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        await world.envoy.stop()
        world.gateway._acknowledged_s = 0.2
        with pytest.raises(Unavailable, match="not connected"):
            await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        await world.envoy.start()
        assert await world.get("/f/acme/a") == (200, "a")


async def test_a_refused_table_is_an_error_and_the_last_one_stays() -> None:
    async with stack() as world:
        instance = await world.instance("a")
        await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
        no_such_duration = revision(1, instance, timeout_s=3e11)
        with pytest.raises(Invalid, match="refused"):
            await world.gateway.apply(table(2, acme_a=[no_such_duration]))
        assert await world.get("/f/acme/a") == (200, "a")
        await world.gateway.apply(table(3, acme_a=[revision(1, instance)], acme_b=[revision(1, instance)]))
        assert await world.get("/f/acme/b") == (200, "a")
