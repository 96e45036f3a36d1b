"""The APISIX driver against a stand-in of its Admin API over a real etcd (see support/apisix.py: not APISIX itself)."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.access import Access, Revoked
from faasioflex.model.errors import Invalid, Unavailable
from faasioflex.model.function import Cors
from faasioflex.model.names import FunctionName
from support import etcd
from support.apisix import World, apisix_world
from support.origin import until

pytestmark = pytest.mark.skipif(etcd.PROGRAM is None, reason=etcd.WITHOUT)
ISSUER = TrustedIssuer("http://127.0.0.1:8080/oidc", "faasioflex", json.dumps({"keys": [{"kid": "k1"}]}))
ROUTE, UPSTREAM = "ffx-f-acme.hello", "ffx-f-acme.hello.1"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with etcd.etcd_url() as url:
        yield url


@pytest.fixture
async def world(store: str) -> AsyncIterator[World]:
    async with apisix_world(store, linger_s=0.0, repair_s=60.0) as made:
        yield made


def revision(number: int, *addresses: str, percent: int = 100) -> TableRevision:
    return TableRevision(number, percent, addresses, 30.0, 1000, 10, 70.0)


def table(*functions: TableFunction, revoked: Revoked | None = None) -> RouteTable:
    return RouteTable(1, functions, revoked or Revoked(), (ISSUER,))


def hello(*addresses: str, **fields: object) -> TableFunction:
    known = {"access": Access(pids=frozenset({"u-alice"})), "revisions": (revision(1, *addresses),), **fields}
    return TableFunction(FunctionName("acme", "hello"), **known)  # type: ignore[arg-type]


async def test_a_change_costs_what_it_changes(world: World) -> None:
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    first = world.apisix.written()
    assert first.index("PUT global_rules/ffx-edge") < first.index(f"PUT upstreams/{UPSTREAM}")
    assert first.index(f"PUT upstreams/{UPSTREAM}") < first.index(f"PUT routes/{ROUTE}")
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    assert world.apisix.written() == []
    await world.gateway.apply(table(hello("10.0.0.1:80", "10.0.0.2:80")))
    assert world.apisix.written() == [f"PUT upstreams/{UPSTREAM}"]
    stored = await world.apisix.object("upstreams", UPSTREAM)
    assert stored is not None
    assert [(each["host"], each["priority"]) for each in stored["nodes"]] == [
        ("10.0.0.1", 0),
        ("10.0.0.2", 0),
        ("127.0.0.1", -1),
    ]
    await world.gateway.apply(table(hello("10.0.0.1:80", "10.0.0.2:80", access=Access(public=True))))
    assert world.apisix.written() == [f"PUT routes/{ROUTE}"]
    revoked = Revoked(jtis=frozenset({"j1"}))
    await world.gateway.apply(table(hello("10.0.0.1:80", "10.0.0.2:80", access=Access(public=True)), revoked=revoked))
    assert world.apisix.written() == ["PUT global_rules/ffx-edge"]


async def test_routes_go_before_what_they_name(world: World) -> None:
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    world.apisix.written()
    await world.gateway.apply(table())
    assert world.apisix.written() == [f"DELETE routes/{ROUTE}", f"DELETE upstreams/{UPSTREAM}"]
    assert await world.apisix.ids("routes") == {"ffx-api", "ffx-invoker", "ffx-invoker-execute"}


async def test_what_is_in_use_stays_until_it_is_not(world: World) -> None:
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    foreign = {"id": "theirs", "uri": "/theirs", "upstream_id": UPSTREAM}
    await world.apisix.store.put("/apisix/routes/theirs", foreign)
    await world.gateway.apply(table())
    assert UPSTREAM in await world.apisix.ids("upstreams")
    await world.apisix.store.delete("/apisix/routes/theirs")
    await world.gateway.apply(table())
    assert UPSTREAM not in await world.apisix.ids("upstreams")


async def test_foreign_objects_are_left_alone(world: World) -> None:
    theirs = {"id": "shop", "nodes": {"10.9.9.9:80": 1}, "type": "roundrobin"}
    await world.apisix.store.put("/apisix/upstreams/shop", theirs)
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    await world.gateway.apply(table())
    assert await world.apisix.object("upstreams", "shop") == theirs
    assert not [each for each in world.apisix.written() if "shop" in each]


async def test_drift_is_repaired_from_a_full_listing(store: str) -> None:
    async with apisix_world(store, repair_s=0.1) as world:
        await world.gateway.apply(table(hello("10.0.0.1:80")))
        route = await world.apisix.object("routes", ROUTE)
        assert route is not None
        world.apisix.written()
        await world.apisix.store.put(f"/apisix/routes/{ROUTE}", {**route, "status": 0})
        await world.apisix.store.delete(f"/apisix/upstreams/{UPSTREAM}")
        await world.apisix.store.put("/apisix/routes/ffx-f-not.ours", {**route, "id": "ffx-f-not.ours"})

        async def repaired() -> bool:
            now = await world.apisix.object("routes", ROUTE)
            there = await world.apisix.ids("upstreams"), await world.apisix.ids("routes")
            return now is not None and now["status"] == 1 and UPSTREAM in there[0] and "ffx-f-not.ours" not in there[1]

        await until(repaired, 10)
        assert sorted(set(world.apisix.written())) == [
            "DELETE routes/ffx-f-not.ours",
            f"PUT routes/{ROUTE}",
            f"PUT upstreams/{UPSTREAM}",
        ]


async def test_another_driver_takes_over_without_writing(world: World) -> None:
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    world.apisix.written()
    second = World(world.apisix, world.key_file.parent, repair_s=60.0)
    await second.gateway.apply(table(hello("10.0.0.1:80")))
    assert world.apisix.written() == []
    await second.gateway.close()


async def test_it_is_tried_again_while_apisix_is_away(world: World) -> None:
    world.apisix.failing = 3
    await world.gateway.apply(table(hello("10.0.0.1:80")))
    await world.apisix.stop()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await world.gateway.apply(table())
    await world.apisix.start()
    await world.gateway.apply(table())
    assert ROUTE not in await world.apisix.ids("routes")


async def test_a_table_comes_when_apisix_is_back_without_another_call(store: str) -> None:
    async with apisix_world(store, repair_s=0.1, patience_s=0.1) as world:
        await world.apisix.stop()
        with pytest.raises(Unavailable):
            await world.gateway.apply(table(hello("10.0.0.1:80")))
        await world.apisix.start()

        async def there() -> bool:
            return ROUTE in await world.apisix.ids("routes")

        await until(there, 10)


async def test_the_key_is_read_again_and_never_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = world.key_file.read_text()
    world.key_file.write_text("another-key-entirely")
    with pytest.raises(Unavailable, match="refuses the key in") as refused:
        await world.gateway.apply(table())
    world.key_file.write_text(key)
    await world.gateway.apply(table())
    said = caplog.text + str(refused.value) + repr(world.gateway) + repr(world.settings)
    assert "another-key-entirely" not in said
    assert key.strip() not in said
    assert "secret-of-this-run" not in said


async def test_what_apisix_refuses_is_told_with_its_reason(world: World) -> None:
    theirs = {"id": "1", "plugins": {"serverless-pre-function": {"functions": ["return function() end"]}}}
    await world.apisix.store.put("/apisix/global_rules/1", theirs)
    with pytest.raises(Invalid, match="already exists in global rule with id '1'"):
        await world.gateway.apply(table())


async def test_instances_on_unix_sockets_are_left_to_the_invoker(world: World) -> None:
    assert not world.gateway.capabilities.unix_sockets
    cors = Cors(("https://shop.example",))
    pages = TableFunction(FunctionName("acme", "pages"), Access(public=True), (revision(1, "unix:/x/b"),), cors)
    await world.gateway.apply(table(hello("unix:/x/a"), pages))
    assert await world.apisix.ids("routes") == {"ffx-api", "ffx-invoker", "ffx-invoker-execute", "ffx-f-acme.pages"}
    assert await world.apisix.ids("upstreams") == {"ffx-api", "ffx-invoker"}
