"""The Envoy driver of the gateway port: ADS and load reports on one gRPC server behind a unix socket."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

import grpc.aio
import structlog
from envoy.service.accesslog.v3 import als_pb2_grpc
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.load_stats.v3 import lrs_pb2_grpc

from faasioflex.gateway.envoy import admission, identity, limits
from faasioflex.gateway.envoy.ads import AdsServer
from faasioflex.gateway.envoy.lrs import LoadServer
from faasioflex.gateway.envoy.proto import CLUSTER, ENDPOINTS, VIRTUAL_HOST
from faasioflex.gateway.envoy.render import Rendered, Renderer
from faasioflex.gateway.envoy.resources import Resource, ResourceSet
from faasioflex.gateway.envoy.routes import ELSEWHERE
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.envoy.stats import CallStats
from faasioflex.gateway.envoy.uses import UseServer
from faasioflex.gateway.port import Capabilities, RouteTable
from faasioflex.model.errors import Invalid
from faasioflex.model.messages import RevisionCalls, RevisionLoad

log = structlog.get_logger(__name__)
ACKNOWLEDGED_S = 3.0
MESSAGE_BYTES = 64 << 20


class EnvoyGateway:
    """Of ``settings`` only what the rendered resources need counts: sockets and the rules on ``/f/`` answers.

    Order of a change (make before break): clusters and their endpoints, then routes; a cluster that no route names any more
    stays ``linger_s`` for the calls under way, which may still be tried again through it.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        settings: EnvoySettings,
        *,
        linger_s: float = 60.0,
        acknowledged_s: float = ACKNOWLEDGED_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._linger_s = linger_s
        self._acknowledged_s = acknowledged_s
        self._clock = clock
        self._ads = AdsServer()
        self._loads = LoadServer()
        self._uses = UseServer()
        self._calls = CallStats(settings.admin_socket)
        self._renderer = Renderer(settings)
        self._lists = admission.Lists(settings.folder, ELSEWHERE)
        self._clusters: dict[str, Resource] = {}
        self._endpoints: dict[str, Resource] = {}
        self._left_at: dict[str, float] = {}  # cluster -> when the last route to it went
        self._first_table_at: float | None = None
        self._applying = asyncio.Lock()
        self._server: grpc.aio.Server | None = None
        self._collector: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """An Envoy is there."""
        return self._ads.connected

    async def start(self) -> None:
        socket = self._settings.ads_socket
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            socket.unlink()  # of a process that was killed; a second one of ours is kept out by the folder's lock
        server = grpc.aio.server(
            options=[
                ("grpc.max_send_message_length", MESSAGE_BYTES),
                ("grpc.max_receive_message_length", MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 1000),
            ]
        )
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self._ads, server)
        lrs_pb2_grpc.add_LoadReportingServiceServicer_to_server(self._loads, server)
        als_pb2_grpc.add_AccessLogServiceServicer_to_server(self._uses, server)
        mask = os.umask(0o177)  # the socket is made inside add_insecure_port, at once
        try:
            server.add_insecure_port(f"unix:{socket}")
        finally:
            os.umask(mask)
        await server.start()
        self._server = server
        self._collector = asyncio.create_task(self._keep_collecting(), name="gateway clusters")

    async def close(self) -> None:
        collector, self._collector = self._collector, None
        if collector is not None:
            collector.cancel()
            await asyncio.gather(collector, return_exceptions=True)
        await self._calls.close()
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace=0.2)

    async def apply(self, table: RouteTable) -> None:
        identity.write_tokens(self._settings.folder, table.issuers)
        identity.write_revoked(self._settings.folder, table.revoked, ELSEWHERE, table.issuers)
        self._lists.write(table.functions)
        limits.write(self._settings.folder, table.functions)
        rendered = self._renderer.render(table)
        async with self._applying:
            self._want_clusters(rendered)
            live = ResourceSet.of([rendered.live] if rendered.live else [])
            if self._ads.wanted(VIRTUAL_HOST) != live:
                await self._follow(live)
            await self._ads.wait_in_force(self._acknowledged_s)

    def loads(self) -> tuple[RevisionLoad, ...] | None:
        return self._loads.take()

    async def calls(self) -> tuple[RevisionCalls, ...] | None:
        return await self._calls.take()

    def uses(self) -> frozenset[str]:
        return self._uses.take()

    async def _follow(self, live: ResourceSet) -> None:
        """New routes only once what they name is there. They are set in any case, for an Envoy that comes later."""
        try:
            if self._ads.connected:
                with suppress(Invalid):  # something refused, perhaps the routes before these: told after this change
                    await self._ads.wait_in_force(self._acknowledged_s)
        finally:
            self._ads.want(VIRTUAL_HOST, live)

    def _want_clusters(self, rendered: Rendered) -> None:
        now = self._clock()
        if self._first_table_at is None:
            self._first_table_at = now
        for name in self._clusters.keys() - rendered.clusters.keys():
            self._left_at.setdefault(name, now)
        for name in rendered.clusters:
            self._left_at.pop(name, None)
        self._clusters |= rendered.clusters
        self._endpoints = dict(rendered.endpoints)
        for name in self._left_at:
            self._endpoints[name] = self._renderer.idle_endpoints(name)
        self._collect()

    def _collect(self) -> None:
        """Let go of the clusters whose time is over, and tell the server what is left.

        For as long after our own start nothing is removed: an Envoy that outlived us may have calls in clusters that we do
        not know.
        """
        now = self._clock()
        for name in [name for name, left_at in self._left_at.items() if now - left_at >= self._linger_s]:
            del self._left_at[name], self._clusters[name], self._endpoints[name]
        removals = self._first_table_at is not None and now - self._first_table_at >= self._linger_s
        self._ads.want(CLUSTER, ResourceSet(dict(self._clusters), removals))
        self._ads.want(ENDPOINTS, ResourceSet(dict(self._endpoints), removals=False))

    async def _keep_collecting(self) -> None:
        while True:
            await asyncio.sleep(max(self._linger_s / 4, 0.05))
            if self._first_table_at is not None:
                async with self._applying:
                    self._collect()
