"""Whatever a function does, it reaches what it lists, and nothing private that the operator has not allowed."""

from __future__ import annotations

import pytest

from support.deadline import eventually
from support.egress import asks, proxied, says
from support.launcher import inside

from .conftest import DATABASE, META, NAMES, OWN_PUBLIC, PRIVATE, PUBLIC, Walled

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_listed_is_reached(walled: Walled) -> None:
    one = walled.listed
    assert await inside(one, asks("http://public.example.com:8080/a?b=1")) == f"{PUBLIC}:8080 got GET /a?b=1 HTTP/1.1"
    assert await inside(one, says("db.internal", 5432)) == f"{DATABASE}:5432 heard hello"
    assert await inside(one, says(PUBLIC, 443)) == f"{PUBLIC}:443 heard hello"


async def test_a_wildcard_reaches_what_is_public_by_any_client(walled: Walled) -> None:
    one = walled.open
    for proxy in (True, False):
        assert await inside(one, asks("http://api.example.org/x", proxy=proxy)) == f"{PUBLIC}:80 got GET /x HTTP/1.1"
    assert await inside(one, says("public.example.com", 443)) == f"{PUBLIC}:443 heard hello"
    assert "200 Connection established" in await inside(
        one, proxied(f"CONNECT {PUBLIC}:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    )
    assert await inside(one, says("db.internal", 5432)) == f"{DATABASE}:5432 heard hello"


@pytest.mark.parametrize(
    "host", ["loop.example.com", "meta.example.com", "other.internal", "localhost", META, "127.0.0.1"]
)
@pytest.mark.parametrize("port", [80, 443])
async def test_a_wildcard_never_covers_a_private_address(walled: Walled, host: str, port: int) -> None:
    """Nor does naming a host help, where the operator has not allowed its address."""
    answer = await inside(walled.open, proxied(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    assert answer.startswith("HTTP/1.1 403 ")
    assert (await inside(walled.open, asks(f"http://{host}:{port}/", proxy=False))).startswith("failed")


@pytest.mark.parametrize(
    "form",
    [
        "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0", "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "0.0.0.0",  # noqa: S104
        "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "LOCALHOST", "localhost.", "loop.example.com.",
        "LOOP.EXAMPLE.COM", "[fe80::1%25lo]", "[fe80::1%lo]", "127.0.0.1.", "%6cocalhost", "localhost%00.example.com",
        "user@127.0.0.1", "public.example.com@127.0.0.1", "127.0.0.1#.example.com", "①②⑦.0.0.1", OWN_PUBLIC, "100.64.3.2",
    ],
)  # fmt: skip
async def test_no_spelling_of_an_address_gets_round(walled: Walled, form: str) -> None:
    form = form.encode().decode("latin-1")
    for request in (
        f"CONNECT {form}:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET http://{form}/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        answer = await inside(walled.open, proxied(request))
        assert answer.split(" ")[1] in ("400", "403", "502"), answer


@pytest.mark.parametrize("port", [22, 25, 5432, 8080, 30080, 0, 65536, 99999])
async def test_other_ports_than_listed(walled: Walled, port: int) -> None:
    answer = await inside(walled.open, proxied(f"CONNECT public.example.com:{port} HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert answer.split(" ")[1] in ("400", "403"), answer
    assert walled.hosts[PUBLIC, 5432].reached == 0


async def test_a_name_that_comes_to_mean_something_private(walled: Walled) -> None:
    """DNS rebinding: what counts is the address of this very connection."""
    assert await inside(walled.open, asks("http://rebind.example.com/")) == f"{PUBLIC}:80 got GET / HTTP/1.1"
    names = walled.world.relay.names
    try:
        for private in ("127.0.0.1", META, PRIVATE, OWN_PUBLIC, "::1", "::ffff:127.0.0.1"):
            names.write_text(NAMES.replace(" rebind.example.com", "") + f"{private} rebind.example.com\n")
            for proxy in (True, False):
                answer = await inside(walled.open, asks("http://rebind.example.com/", proxy=proxy))
                assert answer.startswith(("403", "failed")), answer
    finally:
        names.write_text(NAMES)


async def test_a_name_with_a_public_and_a_private_address(walled: Walled) -> None:
    """The public one takes no connection; the other is not tried in its place."""
    answer = await inside(walled.open, asks("http://two.example.com/"))
    assert answer.startswith(("403", "502")), answer


async def test_a_request_that_names_two_hosts_goes_to_the_one_that_was_looked_at(walled: Walled) -> None:
    request = f"GET http://public.example.com/ HTTP/1.1\r\nHost: {META}\r\n\r\nGET http://{META}/ HTTP/1.1\r\nHost: {META}\r\n\r\n"
    assert f"{PUBLIC}:80 got GET / HTTP/1.1" in await inside(walled.open, proxied(request))
    request = f"CONNECT public.example.com:80 HTTP/1.1\r\nHost: {META}:80\r\nx-ffx-egress: operators\r\n\r\n"
    assert "established" in await inside(walled.open, proxied(request))


async def test_the_platform_s_own_headers_open_nothing(walled: Walled) -> None:
    for name in ("operators", "allowed"):
        request = f"CONNECT {META}:443 HTTP/1.1\r\nHost: x\r\nX-FFX-Egress: {name}\r\n\r\n"
        assert (await inside(walled.open, proxied(request))).startswith("HTTP/1.1 403 ")


async def test_what_is_not_listed(walled: Walled) -> None:
    for one in (walled.closed, walled.listed):
        for host in ("api.example.org", "evil.example.net", META, "93.184.216.35", "1.1.1.1", "[2606:4700::1]"):
            assert (await inside(one, says(host.strip("[]"), 443))).startswith("failed")
    assert (await inside(walled.listed, says("db.internal", 80))).startswith("failed")
    assert (await inside(walled.listed, says("public.example.com", 443))).startswith("failed")


BROKEN = (
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT\r\n\r\n",
    "CONNECT :80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "\x16\x03\x01\r\n\r\n",
    "GET https://public.example.com/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
)


async def test_broken_requests_to_the_proxy(walled: Walled) -> None:
    for words in BROKEN:
        assert (await inside(walled.open, proxied(words))).startswith("HTTP/1.1 400 "), words
    endless = "GET http://public.example.com/ HTTP/1.1\r\n" + "x: y\r\n" * 20_000
    assert (await inside(walled.open, proxied(endless))).startswith("HTTP/1.1 431 ")


async def test_each_denial_is_in_the_log_and_an_event(walled: Walled) -> None:
    seen = walled.world.seen
    destination = "once.example.net"
    assert (await inside(walled.closed, says(destination, 80))).startswith("failed")
    await eventually(lambda: any(one.destination == destination for one in seen.denied), "the event is told")
    found = next(one for one in seen.denied if one.destination == destination)
    assert found.id == walled.closed.id
    assert "network.egress" in found.why
    lines = seen.messages(walled.closed.id, "platform")
    assert any(line.startswith(f"egress to {destination} denied: it is not in network.egress") for line in lines)


async def test_denials_without_end_fill_no_log(walled: Walled) -> None:
    seen = walled.world.seen
    before = len(seen.denied)
    many = (
        "import socket\nresult = 0\nfor n in range(500):\n"
        "    try:\n        socket.getaddrinfo(f'n{n}.example.net', 80)\n    except OSError:\n        result += 1\n"
    )
    assert await inside(walled.closed, many) == 500
    assert (await inside(walled.closed, says("last.example.net", 80))).startswith("failed")
    assert len(seen.denied) - before <= 30
