"""What Envoy is told, compared with a file that people can read. ``FFX_GOLDEN=write`` writes the files anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.route.v3 import route_components_pb2
from google.protobuf.json_format import MessageToDict

from faasioflex.gateway.envoy import bootstrap
from faasioflex.gateway.envoy.render import Renderer
from faasioflex.gateway.envoy.resources import Resource
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision
from faasioflex.identity.access import Access
from faasioflex.model.names import FunctionName

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path("/data")
SETTINGS = EnvoySettings(
    folder=ROOT / "envoy",
    ads_socket=ROOT / "ads.sock",
    api_socket=ROOT / "api.sock",
    invoker_socket=ROOT / "invoker.sock",
    admin_socket=ROOT / "envoy.sock",
)
MESSAGES: dict[str, Any] = {
    "Cluster": cluster_pb2.Cluster,
    "ClusterLoadAssignment": endpoint_pb2.ClusterLoadAssignment,
    "VirtualHost": route_components_pb2.VirtualHost,
}


def revision(number: int, *addresses: str, percent: int = 100, payload: int | None = 1000) -> TableRevision:
    return TableRevision(number, percent, addresses, 30.0, payload, 10, 70.0)


def function(name: str, *revisions: TableRevision) -> TableFunction:
    return TableFunction(FunctionName.parse(name), Access(pids=frozenset({"u-alice", "f-acme.other"})), revisions)


SOLE = function("acme/hello", revision(3, "unix:/data/i/a.sock", "unix:/data/i/b.sock"))
SPLIT = function(
    "acme/split",
    revision(1, "10.0.0.1:8080", percent=90, payload=None),
    revision(2, percent=10),
    revision(3, "unix:/data/i/c.sock", percent=0),
)


def as_json(resource: Resource) -> Any:
    made = MESSAGES[resource.body.TypeName().rpartition(".")[2]]()
    assert resource.body.Unpack(made)
    return MessageToDict(made, preserving_proto_field_name=True)


def check(name: str, found: Any) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("FFX_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("name", "table"), [("sole", (SOLE,)), ("split", (SOLE, SPLIT))])
def test_a_table_as_envoys_resources(name: str, table: tuple[TableFunction, ...]) -> None:
    made = Renderer(SETTINGS).render(RouteTable(1, table))
    assert made.live is not None
    check(f"{name}-clusters", {key: as_json(each) for key, each in made.clusters.items()})
    check(f"{name}-endpoints", {key: as_json(each) for key, each in made.endpoints.items()})
    check(f"{name}-routes", as_json(made.live))


def test_the_bootstrap_as_files() -> None:
    tls = replace(SETTINGS, tls_cert=Path("/etc/tls/cert.pem"), tls_key=Path("/etc/tls/key.pem"))
    for name, content in bootstrap.files(tls).items():
        check(f"bootstrap-{name.removesuffix('.json')}", content)


def test_an_empty_table_leaves_everything_to_the_bootstrap() -> None:
    made = Renderer(SETTINGS).render(RouteTable(1, ()))
    assert (made.clusters, made.endpoints, made.live) == ({}, {}, None)


def test_a_clusters_resource_never_changes() -> None:
    """Whatever users set: another version would make Envoy warm it again."""
    renderer = Renderer(SETTINGS)
    versions = set()
    for one in (
        revision(3, "unix:/a"),
        revision(3, "unix:/a", "unix:/b", payload=None),
        revision(3, percent=1, payload=7),
        replace(revision(3), timeout_s=1.0, hold_s=2.0, concurrency=99),
    ):
        made = renderer.render(RouteTable(1, (function("acme/a", one),)))
        versions.add(made.clusters["f/acme/a/3"].version)
    assert len(versions) == 1


def test_scaling_changes_endpoints_only_and_traffic_changes_routes_only() -> None:
    renderer = Renderer(SETTINGS)
    before = renderer.render(RouteTable(1, (function("acme/a", revision(3, "unix:/a")),)))
    scaled = renderer.render(RouteTable(2, (function("acme/a", revision(3, "unix:/a", "unix:/b")),)))
    assert scaled.live is before.live
    assert scaled.clusters == before.clusters
    assert scaled.endpoints != before.endpoints
    shared = (revision(3, "unix:/a", "unix:/b", percent=50), revision(4, "unix:/c", percent=50))
    split = renderer.render(RouteTable(3, (function("acme/a", *shared),)))
    assert split.endpoints["f/acme/a/3"] == scaled.endpoints["f/acme/a/3"]
    assert split.live != before.live


def test_what_left_the_table_is_forgotten() -> None:
    renderer = Renderer(SETTINGS)
    renderer.render(RouteTable(1, (SOLE, SPLIT)))
    renderer.render(RouteTable(2, (SOLE,)))
    assert list(renderer._clusters) == ["f/acme/hello/3"]
    assert len(renderer._endpoints) == len(renderer._routes) == 1


def test_the_same_table_gives_the_same_versions_in_another_process() -> None:
    """Versions are digests, so an Envoy that outlives the control plane is sent nothing it has."""
    one, two = (Renderer(SETTINGS).render(RouteTable(1, (SOLE, SPLIT))) for _ in range(2))
    assert one == two
