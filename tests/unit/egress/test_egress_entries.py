"""Entries of ``network.egress``: what is one, what it matches, and that no other spelling of a host matches more."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.model.egress import USUAL_PORTS, WEB_PORTS, canonical, match, parse, parse_all, shown

IPV4 = st.integers(0x01000000, 0xDFFFFFFF).map(ipaddress.IPv4Address)  # of hosts: what is below and above is none
IPV6 = st.ip_addresses(v=6).filter(lambda found: not (found.is_multicast or found.is_unspecified or found.ipv4_mapped))
LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PORT = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("entry", "kind", "host", "ports"),
    [
        ("example.org", "name", "example.org", USUAL_PORTS),
        ("Example.ORG.:5432", "name", "example.org", (5432,)),
        ("db", "name", "db", USUAL_PORTS),
        ("_srv.example.org:1", "name", "_srv.example.org", (1,)),
        ("*.example.org", "below", "example.org", WEB_PORTS),
        ("*.example.org:8443", "below", "example.org", (8443,)),
        ("*", "any", "", WEB_PORTS),
        ("*:25", "any", "", (25,)),
        ("10.1.2.3:5432", "address", "10.1.2.3", (5432,)),
        ("10.1.2.3", "address", "10.1.2.3", USUAL_PORTS),
        ("[2001:DB8::1]:443", "address", "2001:db8::1", (443,)),
        ("2001:db8::1", "address", "2001:db8::1", USUAL_PORTS),
        ("[::ffff:10.1.2.3]:443", "address", "10.1.2.3", (443,)),
        ("bücher.example:443", "name", "xn--bcher-kva.example", (443,)),
    ],
)
def test_what_an_entry_means(entry: str, kind: str, host: str, ports: tuple[int, ...]) -> None:
    found = parse(entry)
    assert (found.kind, found.host, found.ports) == (kind, host, ports)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("https://example.org", "leave out scheme"),
        ("example.org/path", "leave out scheme"),
        ("user@example.org", "leave out scheme"),
        ("10.0.0.0/8", "leave out scheme"),
        ("exa mple.org", "a space"),
        (" example.org", "a space"),
        ("example.org\n", "a space"),
        ("example.org:0", "1 to 65535"),
        ("example.org:65536", "1 to 65535"),
        ("example.org:http", "1 to 65535"),
        ("example.org:", "1 to 65535"),
        ("example.org:+80", "1 to 65535"),
        ("api.*.example.org", r"a \* stands alone"),
        ("*example.org", r"a \* stands alone"),
        ("*.10.1.2.3", "nothing is below an address"),
        ("*.", "not the name of a host"),
        ("", "not the name of a host"),
        (".", "not the name of a host"),
        ("-a.example.org", "not the name of a host"),
        ("a..example.org", "not the name of a host"),
        ("a" * 64 + ".example.org", "not the name of a host"),
        (".".join(["a" * 60] * 5), "not the name of a host"),
        ("127.1", "unusual form"),
        ("0x7f000001:80", "unusual form"),
        ("2130706433", "unusual form"),
        ("0177.0.0.1", "unusual form"),
        ("1.2.3.4.5", "unusual form"),
        ("1:2:3", "not an IPv6 address"),
        ("[10.1.2.3]:80", "not an IPv6 address"),
        ("[fe80::1%eth0]:80", "a zone"),
        ("0.0.0.0:1234", "an unspecified address"),
        ("0.1.2.3", "an unspecified address"),
        ("[::]:80", "an unspecified address"),
        ("[::ffff:0.0.0.0]:80", "an unspecified address"),
        ("224.0.0.1:80", "a multicast address"),
        ("239.255.255.255", "a multicast address"),
        ("[ff02::1]:80", "a multicast address"),
        ("255.255.255.255:80", "the broadcast address"),
    ],
)
def test_what_is_none(entry: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(entry)


def test_matching() -> None:
    listed = parse_all(("*", "*.example.org:8443", "db.internal:5432", "10.1.2.3:5432"))
    assert match(listed, "anything.example.net", 443) == "wild"
    assert match(listed, "anything.example.net", 8443) is None
    assert match(listed, "a.b.example.org", 8443) == "wild"
    assert match(listed, "example.org", 8443) is None
    assert match(listed, "notexample.org", 8443) is None
    assert match(listed, "db.internal", 5432) == "named"
    assert match(listed, "db.internal", 443) == "wild"
    assert match(listed, "x.db.internal", 5432) is None
    assert match(listed, "10.1.2.3", 5432) == "named"
    assert match(parse_all(("*:5432", "db.internal:5432")), "db.internal", 5432) == "named"
    assert match((), "db.internal", 443) is None


@given(NAME, PORT)
def test_a_name_matches_itself_in_every_case_and_nothing_else(name: str, port: int) -> None:
    listed = parse_all((f"{name}:{port}",))
    for spelling in (name, name.upper(), name + ".", name.title() + "."):
        assert match(listed, canonical(spelling), port) == "named"
    for other in (f"x{name}", f"x.{name}", f"{name}.x", name[1:] or "x"):
        if other != name:
            try:
                assert match(listed, canonical(other), port) is None
            except ValueError:
                continue  # not a name at all


@given(IPV4)
def test_odd_forms_of_an_address_are_neither_names_nor_addresses(address: ipaddress.IPv4Address) -> None:
    number, parts = int(address), str(address).split(".")
    odd = [
        str(number), hex(number), f"0{number:o}", ".".join(hex(int(part)) for part in parts),
        ".".join(f"0{int(part):o}" for part in parts), f"{parts[0]}.{number & 0xFFFFFF}", f"{address}.",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
    ]  # fmt: skip
    for form in odd:
        try:
            assert canonical(form) == str(address)  # the trailing dot alone, or 0 to 7 in octal, are the same address
        except ValueError:
            continue


@given(IPV4, PORT)
def test_an_address_and_its_mapped_form_are_one(address: ipaddress.IPv4Address, port: int) -> None:
    high, low = divmod(int(address), 65536)
    listed = parse_all((f"{address}:{port}",))
    for form in (f"[::ffff:{address}]", f"::ffff:{address}", f"[0:0:0:0:0:FFFF:{high:X}:{low:X}]"):
        assert match(listed, canonical(form), port) == "named"


@given(IPV6, PORT)
def test_every_spelling_of_an_ipv6_address_is_one(address: ipaddress.IPv6Address, port: int) -> None:
    listed = parse_all((f"[{address}]:{port}",))
    for form in (address.exploded, address.compressed.upper(), f"[{address.exploded.upper()}]"):
        assert match(listed, canonical(form), port) == "named"


@given(st.text(max_size=40))
def test_any_text_is_an_entry_or_a_sentence(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert found.kind == "any" or canonical(found.host) == found.host
    assert all(1 <= port <= 65535 for port in found.ports)


def test_for_people() -> None:
    assert shown("a.example.org", 80) == "a.example.org:80"
    assert shown("2001:db8::1", 80) == "[2001:db8::1]:80"
