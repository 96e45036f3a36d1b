"""The order in which an Envoy is told: a client of ours speaks delta ADS to the driver, and answers when it likes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.rpc.status_pb2 import Status

from faasioflex.gateway.envoy.driver import EnvoyGateway
from faasioflex.gateway.envoy.proto import CLUSTER, ENDPOINTS, VIRTUAL_HOST
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import RouteTable
from faasioflex.model.errors import Invalid, Unavailable
from support.envoy import table
from support.origin import Origin

LIVE = "ffx/live"


class Client:
    """An Envoy of few words."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def ask(self, type_url: str, *names: str) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names)
        await self._call.write(request)

    async def told(self) -> Any:
        async with asyncio.timeout(10):
            return await self._call.read()

    async def acknowledge(self, response: Any, refuse: str | None = None) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if refuse is not None:
            request.error_detail.CopyFrom(Status(code=3, message=refuse))
        await self._call.write(request)


@pytest.fixture
async def gateway() -> AsyncIterator[EnvoyGateway]:
    folder = Path(tempfile.mkdtemp(prefix="ffxads", dir="/tmp"))
    sockets = {name: folder / name for name in ("ads_socket", "api_socket", "invoker_socket", "admin_socket")}
    made = EnvoyGateway(EnvoySettings(folder=folder, **sockets), acknowledged_s=10)
    await made.start()
    yield made
    await made.close()
    shutil.rmtree(folder)


@asynccontextmanager
async def connected(gateway: EnvoyGateway) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(f"unix:{gateway._settings.ads_socket}") as channel:
        yield Client(ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources())


def one(number: int, revision_number: int) -> RouteTable:
    from support.envoy import revision

    return table(number, acme_a=[revision(revision_number, Origin("a", Path("/s/a")))])


async def settle(client: Client, expected: list[str]) -> None:
    """Acknowledge the responses that come, which must be of these types in this order."""
    for type_url in expected:
        response = await client.told()
        assert response.type_url == type_url
        await client.acknowledge(response)


async def subscribe(gateway: EnvoyGateway, client: Client, *endpoints: str) -> None:
    """Ask for everything, and wait until the server has seen all of it: it reads requests in order."""
    await client.ask(ENDPOINTS, *endpoints)
    await client.ask(CLUSTER)
    await client.ask(VIRTUAL_HOST)
    first = asyncio.create_task(gateway.apply(RouteTable(1, ())))
    answered: set[str] = set()
    while not {CLUSTER, VIRTUAL_HOST} <= answered:
        response = await client.told()
        answered.add(response.type_url)
        await client.acknowledge(response)
    await first


async def test_routes_come_after_the_clusters_and_endpoints_that_they_name(gateway: EnvoyGateway) -> None:
    async with connected(gateway) as client:
        await client.ask(CLUSTER)
        await client.ask(VIRTUAL_HOST)
        first = asyncio.create_task(gateway.apply(RouteTable(1, ())))
        await settle(client, [CLUSTER, VIRTUAL_HOST])  # empty, but answered
        await first

        applying = asyncio.create_task(gateway.apply(one(2, 1)))
        clusters = await client.told()
        assert (clusters.type_url, [each.name for each in clusters.resources]) == (CLUSTER, ["f/acme/a/1"])
        await client.acknowledge(clusters)
        await client.ask(ENDPOINTS, "f/acme/a/1")
        endpoints = await client.told()
        assert endpoints.type_url == ENDPOINTS
        assert not applying.done()
        await client.acknowledge(endpoints)
        routes = await client.told()
        assert (routes.type_url, [each.name for each in routes.resources]) == (VIRTUAL_HOST, [LIVE])
        assert not applying.done()
        await client.acknowledge(routes)
        await applying


async def test_an_old_cluster_is_not_removed_with_its_routes(gateway: EnvoyGateway) -> None:
    async with connected(gateway) as client:
        await subscribe(gateway, client, "f/acme/a/1")
        first = asyncio.create_task(gateway.apply(one(2, 1)))
        await settle(client, [CLUSTER, ENDPOINTS, VIRTUAL_HOST])
        await first
        second = asyncio.create_task(gateway.apply(RouteTable(3, ())))
        endpoints = await client.told()
        assert endpoints.type_url == ENDPOINTS, "no instances any more; the invoker stays"
        await client.acknowledge(endpoints)
        routes = await client.told()
        assert (routes.type_url, list(routes.removed_resources)) == (VIRTUAL_HOST, [LIVE])
        await client.acknowledge(routes)
        await second


async def test_a_refusal_is_an_error_with_envoys_words_and_not_sent_again(gateway: EnvoyGateway) -> None:
    async with connected(gateway) as client:
        await subscribe(gateway, client, "f/acme/a/1")
        applying = asyncio.create_task(gateway.apply(one(2, 1)))
        await settle(client, [CLUSTER, ENDPOINTS])
        await client.acknowledge(await client.told(), refuse="no such thing")
        with pytest.raises(Invalid, match="no such thing"):
            await applying
        with pytest.raises(Invalid, match="no such thing"):
            await gateway.apply(one(3, 1))
        applying = asyncio.create_task(gateway.apply(one(4, 2)))
        clusters = await client.told()
        assert [each.name for each in clusters.resources] == ["f/acme/a/2"]
        await client.acknowledge(clusters)
        await client.ask(ENDPOINTS, "f/acme/a/2")
        seen = []
        for _ in range(3):  # endpoints of both clusters, the new routes
            response = await client.told()
            seen.append(response.type_url)
            await client.acknowledge(response)
            if response.type_url == VIRTUAL_HOST:
                break
        assert seen[-1] == VIRTUAL_HOST
        await applying


async def test_an_envoy_that_answers_nothing_is_not_followed(gateway: EnvoyGateway) -> None:
    gateway._acknowledged_s = 0.2
    async with connected(gateway) as client:
        await client.ask(CLUSTER)
        with pytest.raises(Unavailable, match="did not acknowledge"):
            await gateway.apply(one(1, 1))
    with pytest.raises(Unavailable):
        await gateway.apply(one(2, 1))
