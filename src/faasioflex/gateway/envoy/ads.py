"""Aggregated delta discovery (ADS) over gRPC: keeps every connected Envoy at the wanted resources and knows what is in force.

One update per type is under way at a time; what changed meanwhile goes with the next one. Types that depend on others are
brought in order by the caller, who waits for the acknowledgement in between (see driver).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from faasioflex.gateway.envoy.proto import CLUSTER, ENDPOINTS, VIRTUAL_HOST
from faasioflex.gateway.envoy.resources import ResourceSet
from faasioflex.gateway.envoy.routes import ROUTES
from faasioflex.gateway.envoy.subscription import Subscription
from faasioflex.model.errors import Invalid, Unavailable

log = structlog.get_logger(__name__)
# An answer with nothing in it reaches no one who subscribed to a namespace of names, and Envoy would wait for its timeout:
# so the first answer about virtual hosts, where there are none, removes one that never was.
_NOBODY = {VIRTUAL_HOST: (f"{ROUTES}/nobody",)}


class Stream:
    """One connected Envoy."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.types: dict[str, Subscription] = {}
        self.changed = asyncio.Event()


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]  # generated, untyped
    """The servicer of ``AggregatedDiscoveryService`` (delta only) and the wanted state behind it."""

    def __init__(self) -> None:
        self.refusal: str | None = None  # Envoy's words for what it refused last, until something newer was taken
        self._wanted: dict[str, ResourceSet] = {}
        self._streams: set[Stream] = set()
        self._progress = asyncio.Condition()

    @property
    def connected(self) -> bool:
        return bool(self._streams)

    def want(self, type_url: str, resources: ResourceSet) -> None:
        """Replace what Envoy should have of one type. A type never set is not answered: Envoy keeps what it has."""
        self._wanted[type_url] = resources
        for stream in self._streams:
            stream.changed.set()

    def wanted(self, type_url: str) -> ResourceSet | None:
        """None while it was never set."""
        return self._wanted.get(type_url)

    async def wait_in_force(self, timeout_s: float) -> None:
        """Return when every connected Envoy has acknowledged all that is wanted.

        Raises: Unavailable (none is connected, or no answer in time), Invalid (it refused something).
        """
        deadline = time.monotonic() + timeout_s
        async with self._progress:
            while True:
                if self._streams and all(self._in_force(stream) for stream in self._streams):
                    break
                left = deadline - time.monotonic()
                try:
                    if left <= 0:
                        raise TimeoutError
                    await asyncio.wait_for(self._progress.wait(), left)
                except TimeoutError:
                    what = "did not acknowledge its configuration" if self._streams else "is not connected"
                    raise Unavailable(f"The gateway (Envoy) {what} within {timeout_s:g} s.") from None
        if any(self._refuses(stream) for stream in self._streams):
            raise Invalid(f"The gateway (Envoy) refused its configuration: {self.refusal}")

    async def DeltaAggregatedResources(self, requests: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        first = True
        stream = Stream("")
        sender: asyncio.Task[None] | None = None
        try:
            async for request in requests:
                if first:
                    first = False
                    stream.node = request.node.id
                    self._streams.add(stream)
                    sender = asyncio.create_task(self._send(stream, context), name="ads sender")
                    log.info("gateway connected", node=stream.node)
                self._take(stream, request)
                stream.changed.set()
                await self._notify()
        finally:
            self._streams.discard(stream)
            if sender is not None:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
            log.info("gateway disconnected", node=stream.node)
            await self._notify()

    def _take(self, stream: Stream, request: Any) -> None:
        subscription = stream.types.setdefault(request.type_url, Subscription())
        subscription.ask(
            list(request.resource_names_subscribe),
            list(request.resource_names_unsubscribe),
            dict(request.initial_resource_versions),
        )
        if not request.response_nonce:
            return
        refused = request.HasField("error_detail")
        update = subscription.answered(request.response_nonce, refused=refused)
        if update is None:
            return
        if refused:
            self.refusal = request.error_detail.message
            log.error(
                "the gateway refused its configuration and keeps the one before",
                type=request.type_url,
                resources=[resource.name for resource in update.added],
                detail=request.error_detail.message,
            )
        elif not any(self._refuses(each) for each in self._streams):
            self.refusal = None

    async def _send(self, stream: Stream, context: Any) -> None:
        while True:
            await stream.changed.wait()
            stream.changed.clear()
            for type_url in sorted(stream.types, key=_order):
                wanted = self._wanted.get(type_url)
                update = None if wanted is None else stream.types[type_url].next(wanted)
                if update is None:
                    continue
                await context.write(
                    discovery_pb2.DeltaDiscoveryResponse(
                        type_url=type_url,
                        nonce=update.nonce,
                        resources=[
                            discovery_pb2.Resource(name=each.name, version=each.version, resource=each.body)
                            for each in update.added
                        ],
                        removed_resources=update.removed or (() if update.added else _NOBODY.get(type_url, ())),
                    )
                )

    def _in_force(self, stream: Stream) -> bool:
        for type_url, wanted in self._wanted.items():
            subscription = stream.types.get(type_url)
            if subscription is None or not subscription.settled(wanted):
                # endpoints are asked for only once there is a cluster
                if subscription is None and type_url == ENDPOINTS and not wanted.resources:
                    continue
                return False
        return self._endpoints_follow(stream)

    def _endpoints_follow(self, stream: Stream) -> bool:
        """A cluster that Envoy has taken is warm once it has asked for its endpoints and got them."""
        clusters, endpoints = stream.types.get(CLUSTER), stream.types.get(ENDPOINTS)
        wanted_clusters, wanted = self._wanted.get(CLUSTER), self._wanted.get(ENDPOINTS)
        if clusters is None or wanted_clusters is None or wanted is None:
            return True
        return all(
            endpoints is not None
            and (endpoints.has(name, wanted) or endpoints.refused.get(name) == wanted.resources[name].version)
            for name in wanted.resources
            if clusters.has(name, wanted_clusters)
        )

    def _refuses(self, stream: Stream) -> bool:
        return any(
            subscription.refused.get(name) == resource.version
            for type_url, wanted in self._wanted.items()
            if (subscription := stream.types.get(type_url)) is not None
            for name, resource in wanted.resources.items()
        )

    async def _notify(self) -> None:
        async with self._progress:
            self._progress.notify_all()


_ORDER = (CLUSTER, ENDPOINTS)


def _order(type_url: str) -> int:
    return _ORDER.index(type_url) if type_url in _ORDER else len(_ORDER)
