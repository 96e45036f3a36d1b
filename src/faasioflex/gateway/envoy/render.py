"""RouteTable -> Envoy's resources. Pure; what did not change is not made again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2

# Types that stand inside an Any: their descriptors must be loaded before JSON is parsed.
from envoy.config.rbac.v3 import rbac_pb2 as _rbac_action
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.matching.v3 import extension_matcher_pb2 as _matching
from envoy.extensions.filters.common.matcher.action.v3 import skip_action_pb2 as _skip
from envoy.extensions.filters.http.cors.v3 import cors_pb2 as _cors
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2 as _mutation
from envoy.extensions.filters.http.lua.v3 import lua_pb2 as _lua
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as _rbac
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2 as _codec
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2 as _least_request
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2 as _priorities
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _upstreams
from envoy.type.matcher.v3 import http_inputs_pb2 as _inputs
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict

from faasioflex.gateway.envoy.clusters import cluster_name, function_cluster, load_assignment
from faasioflex.gateway.envoy.live import NOBODY, function_routes, live_host
from faasioflex.gateway.envoy.proto import Json
from faasioflex.gateway.envoy.resources import Resource
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import RouteTable, TableFunction
from faasioflex.identity.access import Access

INSIDE_ANY = (
    _codec,
    _cors,
    _inputs,
    _least_request,
    _lua,
    _matching,
    _mutation,
    _priorities,
    _rbac,
    _rbac_action,
    _skip,
    _upstreams,
)


@dataclass(frozen=True)
class Rendered:
    """``live``: the virtual host; None while no function is live (then the bootstrap's serves)."""

    clusters: dict[str, Resource]
    endpoints: dict[str, Resource]
    live: Resource | None


class Renderer:
    """Keeps what it made of the table before, by function, so that a change costs what it changes."""

    def __init__(self, settings: EnvoySettings) -> None:
        self._settings = settings
        self._clusters: dict[str, Resource] = {}
        self._endpoints: dict[tuple[str, tuple[str, ...]], Resource] = {}
        self._routes: dict[TableFunction, tuple[AnyMessage, AnyMessage]] = {}  # of the bare name, below it
        self._live: tuple[tuple[TableFunction, ...], Resource] | None = None

    def render(self, table: RouteTable) -> Rendered:
        addresses = {
            cluster_name(function, revision): revision.addresses
            for function in table.functions
            for revision in function.revisions
        }
        self._clusters = {name: self._clusters.get(name) or self._cluster(name) for name in addresses}
        keys = {name: (name, where) for name, where in addresses.items()}
        self._endpoints = {key: self._endpoints.get(key) or self._assignment(*key) for key in keys.values()}
        return Rendered(
            clusters=dict(self._clusters),
            endpoints={name: self._endpoints[key] for name, key in keys.items()},
            live=self._live_host(tuple(_without_addresses(function) for function in table.functions)),
        )

    def idle_endpoints(self, name: str) -> Resource:
        """Of a cluster whose revision has left the table and is still there for calls under way."""
        return self._assignment(name, ())

    def _assignment(self, name: str, addresses: tuple[str, ...]) -> Resource:
        made = load_assignment(name, addresses, self._settings.invoker_socket, self._settings.proof)
        message: Any = ParseDict(made, endpoint_pb2.ClusterLoadAssignment())
        return Resource.of(name, message)

    def _cluster(self, name: str) -> Resource:
        return Resource.of(
            name, ParseDict(function_cluster(name, self._settings.upstream_idle_s), cluster_pb2.Cluster())
        )

    def _live_host(self, functions: tuple[TableFunction, ...]) -> Resource | None:
        if not functions:
            self._routes, self._live = {}, None
            return None
        if self._live is None or self._live[0] != functions:
            self._routes = {each: self._routes.get(each) or self._route_lists(each) for each in functions}
            self._live = functions, self._host_of(functions)
        return self._live[1]

    def _host_of(self, functions: tuple[TableFunction, ...]) -> Resource:
        """The frame from JSON, the functions' parts (made before) put into its maps.

        A prefix map alone would give ``/f/acme/x2`` to ``x``: its keys end in ``/`` or ``?``, the bare name is an exact key.
        """
        host = ParseDict(live_host(self._settings), route_components_pb2.VirtualHost())
        by_name = host.matcher.on_no_match.matcher
        exact = by_name.matcher_tree.exact_match_map.map
        prefixes = by_name.on_no_match.matcher.matcher_tree.prefix_match_map.map
        action = exact[NOBODY].action.name
        exact.clear()
        prefixes.clear()
        for function in functions:
            path = f"/f/{function.function}"
            bare, below = self._routes[function]
            for slot, routes in ((exact[path], bare), (prefixes[f"{path}?"], bare), (prefixes[f"{path}/"], below)):
                slot.action.name = action
                slot.action.typed_config.CopyFrom(routes)
        return Resource.of(host.name, host)

    def _route_lists(self, function: TableFunction) -> tuple[AnyMessage, AnyMessage]:
        routes = function_routes(function, self._settings)
        return _packed(routes.bare), _packed(routes.below)


def _packed(routes: list[Json]) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(ParseDict({"routes": routes}, route_components_pb2.RouteList()), deterministic=True)
    return packed


def _without_addresses(function: TableFunction) -> TableFunction:
    """What its routes depend on: the share and the bounds of each serving revision, not where the instances are or who may call."""
    return replace(
        function,
        access=Access(public=function.access.public),
        revisions=tuple(replace(each, addresses=()) for each in function.revisions if each.percent > 0),
    )
