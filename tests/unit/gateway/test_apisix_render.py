"""What APISIX is told, compared with files that people can read (``FFX_GOLDEN=write`` writes them anew) and with its own schema."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faasioflex.gateway.apisix.addresses import Parts, parse, resolve
from faasioflex.gateway.apisix.drift import same
from faasioflex.gateway.apisix.objects import LONGEST_ID, Objects, route_id, upstream_id
from faasioflex.gateway.apisix.render import Renderer
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.access import Access
from faasioflex.model.errors import Invalid
from faasioflex.model.function import Cors, RateLimit
from faasioflex.model.names import FunctionName
from support.apisix_objects import SCHEMA, WITHOUT, wrong_with

GOLDEN = Path(__file__).parent / "golden"
PARTS = Parts((("10.1.0.1", 8001),), (("10.1.0.2", 8002),))
SETTINGS = ApisixSettings(
    admin_url="http://apisix:9180",
    key_file=Path("/run/secrets/apisix"),
    api="api:8001",
    invoker="invoker:8002",
    discovery="http://api:8001/oidc/.well-known/openid-configuration",
    metrics_url="http://apisix:9091/apisix/prometheus/metrics",
    proof="secret-of-this-run",
)
JWKS = json.dumps({"keys": [{"kid": "k1"}]})
OURS = (
    TrustedIssuer("http://127.0.0.1:8080/oidc", "faasioflex", JWKS),
    TrustedIssuer("https://faas.example.org/oidc", "faasioflex", JWKS),
)
DEX = TrustedIssuer("https://dex.example.org", "a-client", json.dumps({"keys": [{"kid": "d1"}]}), ours=False)


def revision(number: int, *addresses: str, percent: int = 100, payload: int | None = 1000) -> TableRevision:
    return TableRevision(number, percent, addresses, 30.0, payload, 10, 70.0)


def function(name: str, *revisions: TableRevision, **fields: Any) -> TableFunction:
    return TableFunction(
        FunctionName.parse(name), Access(pids=frozenset({"u-alice", "f-acme.other"})), revisions, **fields
    )


SOLE = function("acme/hello", revision(3, "10.0.0.1:8080", "10.0.0.2:8080"))
SPLIT = function(
    "acme/split",
    revision(1, "10.0.0.3:8080", percent=90, payload=None),
    revision(2, percent=10),
    revision(3, "10.0.0.4:8080", percent=0),
    cors=Cors(("https://shop.example",), allow_credentials=True),
    rate_limit=RateLimit(calls_per_minute=100, per_caller_per_minute=10),
    namespace_per_minute=1000,
)
IDLE = function("acme/idle", cors=Cors(("*",)))
LONG = function(f"{'n' * 40}/{'m' * 40}", revision(12345, "10.0.0.5:8080"))
ALL = RouteTable(1, (SOLE, SPLIT, IDLE, LONG), issuers=(*OURS, DEX))


def render(table: RouteTable, **fields: Any) -> Objects:
    return Renderer(replace(SETTINGS, **fields)).render(table, PARTS).objects


def readable(objects: Objects) -> dict[str, Any]:
    """Scripts by their constants: their own text stands in files."""
    told = json.loads(json.dumps(objects.by_kind))
    for made in (each for kind in told.values() for each in kind.values()):
        for config in made.get("plugins", {}).values():
            if "functions" in config:
                lines = config["functions"][0].partition("\n-- ")[0].splitlines()
                config["functions"] = [line for line in lines if line.startswith("local ")]
    return dict(told)


def check(name: str, found: Any) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("FFX_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("name", "table"),
    [("none", RouteTable(0, ())), ("sole", RouteTable(1, (SOLE,), issuers=OURS)), ("all", ALL)],
)
def test_a_table_as_apisixs_objects(name: str, table: RouteTable) -> None:
    check(f"apisix-{name}", readable(render(table)))


@pytest.mark.skipif(not SCHEMA.exists(), reason=WITHOUT)
@pytest.mark.parametrize("host", [None, "fn.example.org"])
def test_every_object_is_valid_by_apisixs_own_schema(host: str | None) -> None:
    for table in (ALL, RouteTable(0, ()), replace(ALL, issuers=(DEX,))):
        for kind, identifier, made in render(table, functions_host=host):
            assert wrong_with(kind, identifier, made) is None, f"{kind}/{identifier}"
            assert len(identifier) <= LONGEST_ID


def test_ids_are_ours_short_and_each_functions_own() -> None:
    names = [FunctionName("a", "b"), FunctionName("n" * 40, "m" * 40), FunctionName("n" * 40, "m" * 39 + "x")]
    ids = [made for name in names for made in (route_id(name), upstream_id(name, 1), upstream_id(name, 123456))]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("ffx-") and len(each) <= LONGEST_ID for each in ids)
    assert ids == [made for name in names for made in (route_id(name), upstream_id(name, 1), upstream_id(name, 123456))]
    assert upstream_id(names[1], 7).endswith(".7")


def test_tokens_of_a_login_and_of_nobody_are_not_verified_here() -> None:
    assert render(RouteTable(1, (SOLE,), issuers=(DEX,))).of("plugin_configs") == {}
    assert "plugin_config_id" not in render(RouteTable(1, (SOLE,))).of("routes")["ffx-f-acme.hello"]


def test_each_set_of_issuers_and_keys_has_a_cache_of_its_own() -> None:
    def segment(issuers: tuple[TrustedIssuer, ...]) -> str:
        made = render(RouteTable(1, (), issuers=issuers)).of("plugin_configs")["ffx-token"]
        return str(made["plugins"]["openid-connect"]["cache_segment"])

    rotated = tuple(replace(each, jwks=json.dumps({"keys": [{"kid": "k2"}]})) for each in OURS)
    assert len({segment(OURS), segment(OURS[:1]), segment(rotated), segment((replace(OURS[0], issuer="x"),))}) == 4
    assert segment(OURS) == segment((*OURS, DEX))


def test_what_did_not_change_is_not_made_again() -> None:
    renderer = Renderer(SETTINGS)
    first = renderer.render(ALL, PARTS).objects.of("routes")
    moved = replace(SOLE, revisions=(replace(SOLE.revisions[0], addresses=("10.0.0.9:1",)),))
    second = renderer.render(replace(ALL, functions=(moved, SPLIT, IDLE, LONG)), PARTS).objects.of("routes")
    assert all(second[each] is first[each] for each in first if each.startswith("ffx-f-"))


@pytest.mark.parametrize("wrong", ["unix:/x", "host", "host:", ":80", "host:99999", "host:eighty"])
async def test_addresses_that_are_none(wrong: str) -> None:
    with pytest.raises(Invalid, match="HOST:PORT"):
        parse(wrong)
    with pytest.raises(Invalid):
        await resolve(wrong)


async def test_addresses() -> None:
    assert await resolve("10.0.0.1:80") == (("10.0.0.1", 80),)
    assert ("127.0.0.1", 80) in await resolve("localhost:80")
    assert parse("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"create_time": 1, "update_time": 2, "id": "x"}, True),
        ({"hash_on": "vars"}, True),
        ({"status": 0}, False),
        ({"vars": [["http_x", "==", "1"]]}, False),
        ({"priority": 11}, False),
        ({"plugins": {}}, False),
        ({"upstream_id": None}, False),
    ],
)
def test_drift_of_a_route(change: dict[str, Any], is_same: bool) -> None:
    route = render(ALL).of("routes")["ffx-f-acme.split"]
    assert same(route, {**route, **change}) == is_same


def test_drift_inside_a_plugin_and_defaults_that_are_none() -> None:
    route = render(ALL).of("routes")["ffx-f-acme.split"]
    plugins = route["plugins"]
    for name, config, is_same in [
        ("cors", {**plugins["cors"], "allow_origins_by_regex": None}, True),
        ("cors", {**plugins["cors"], "allow_origins": "*"}, False),
        ("cors", {**plugins["cors"], "_meta": {"disable": True}}, False),
        ("ip-restriction", {"whitelist": ["10.0.0.0/8"]}, False),
        ("traffic-split", {"rules": plugins["traffic-split"]["rules"][:1]}, False),
    ]:
        assert same(route, {**route, "plugins": {**plugins, name: config}}) == is_same, name
    upstream = render(ALL).of("upstreams")["ffx-f-acme.hello.3"]
    assert not same(upstream, {**upstream, "nodes": upstream["nodes"][1:]})
