"""Addresses that nobody reaches by a wildcard, what operators allow, and the configuration that tells Envoy the same."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path

import pytest
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.listener.v3 import listener_pb2
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.gateway.egress import envoy
from faasioflex.model.addresses import FORBIDDEN, parse_allowances, why_forbidden

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200",  # noqa: S104
        "100.127.255.255", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
        "2002:7f00:1::", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert why_forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "100.128.0.1", "168.63.129.15", "168.63.129.17", "172.32.0.1", "192.169.0.1", "203.0.113.7",
        "223.255.255.255", "2606:4700::1",
    ],
)  # fmt: skip
def test_what_is_public(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert why_forbidden(found) is None
    assert why_forbidden(found, {found}) == "an address of this host"


@given(st.ip_addresses())
def test_nothing_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    documentation = any(address in ipaddress.ip_network(one) for one in DOCUMENTATION)
    if not documentation and (not address.is_global or address.is_multicast):
        assert why_forbidden(address)


def test_allowances() -> None:
    one, net, six, six_net = parse_allowances("10.1.2.3:5432, 10.2.0.0/16\n[fd00::1]:443 fd01::/64")
    at = ipaddress.ip_address
    assert one.covers(at("10.1.2.3"), 5432)
    assert not one.covers(at("10.1.2.3"), 5433)
    assert not one.covers(at("10.1.2.4"), 5432)
    assert net.covers(at("10.2.255.1"), 1)
    assert not net.covers(at("fd00::1"), 1)
    assert six.covers(at("fd00::1"), 443)
    assert not six.covers(at("fd00::1"), 80)
    assert six_net.covers(at("fd01::5"), 80)
    assert parse_allowances("") == ()


@pytest.mark.parametrize(
    "text", ["db.internal", "10.1.2.3/8", "10.1.2.3:0", "10.1.2.3:70000", "10.1.2", "[fd00::1", "*", "10.1.2.3:x"]
)
def test_what_is_no_allowance(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address|1 to 65535"):
        parse_allowances(text)


def _golden(name: str, made: envoy.Json) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(made, indent=1) + "\n"
    if os.environ.get("FFX_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_what_envoy_is_told() -> None:
    own = {ipaddress.ip_address("198.51.100.7"), ipaddress.ip_address("2606:4700::7")}
    listeners = envoy.listeners(Path("/data/e.sock"), own, parse_allowances("10.1.2.3:5432 10.2.0.0/16"), "1")
    _golden("listeners", listeners)
    bootstrap = envoy.bootstrap(Path("/data/listeners.json"))
    _golden("bootstrap", bootstrap)
    ParseDict(bootstrap["node"], bootstrap_pb2.Bootstrap().node)
    assert ParseDict({"name": listeners["resources"][0]["name"]}, listener_pb2.Listener()).name == "egress"


def test_envoy_forbids_every_network_of_the_table() -> None:
    text = json.dumps(envoy.rules((), ())["policies"][envoy.PUBLIC])
    for network in FORBIDDEN:
        parsed = ipaddress.ip_network(network)
        assert json.dumps({"address_prefix": str(parsed.network_address), "prefix_len": parsed.prefixlen}) in text
    assert envoy.ALLOWED not in envoy.rules((), ())["policies"]
