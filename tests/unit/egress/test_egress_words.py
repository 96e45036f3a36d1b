"""Requests to the proxy, questions to the name server, proxies of the machine, denials, registries: what is read and said."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.gateway.egress.budget import Budget
from faasioflex.gateway.egress.denials import AGAIN_AFTER_S, MOST_AT_ONCE, Denials
from faasioflex.gateway.egress.machine_proxy import MachineProxy, machine_proxy
from faasioflex.gateway.egress.names import MOST_NAMES, Names
from faasioflex.gateway.egress.pipe import Stream
from faasioflex.gateway.egress.proxy import (
    LONGEST_HEAD_BYTES,
    MOST_HEAD_LINES,
    Head,
    HeadTooLarge,
    NotHttp,
    parse,
    read_head,
    refusal,
)
from faasioflex.manager.builder import hosts
from faasioflex.model.errors import NotAllowed, Unavailable
from faasioflex.runtime.egress.messages import Denial, Guest, pack, to_guest
from faasioflex.runtime.egress.plan import plan_instance
from faasioflex.runtime.registries import Registries


def _head(line: str, *fields: str, rest: bytes = b"") -> Head:
    return Head("\r\n".join([line, *fields, "", ""]).encode("latin-1"), rest)


def test_a_connect() -> None:
    asked = parse(_head("CONNECT Example.ORG.:443 HTTP/1.1", "Host: other", rest=b"early"))
    assert (asked.host, asked.port, asked.tunnel, asked.first) == ("example.org", 443, True, b"early")
    asked = parse(_head("CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1", "Host: x"))
    assert asked.host == "10.0.0.1"


def test_a_plain_request_is_passed_on_to_its_own_host_only() -> None:
    fields = ("Host: evil", "Proxy-Authorization: Basic x", "Connection: keep-alive", "Content-Length: 3", "X-Own: 1")
    asked = parse(_head("POST http://api.example.org:8080?x=1 HTTP/1.1", *fields, rest=b"abc"))
    assert (asked.host, asked.port, asked.tunnel) == ("api.example.org", 8080, False)
    lines = asked.first.split(b"\r\n")
    assert lines[:2] == [b"POST /?x=1 HTTP/1.1", b"Host: api.example.org:8080"]
    assert b"Connection: close" in lines
    assert b"Content-Length: 3" in lines
    assert b"X-Own: 1" in lines
    assert asked.first.endswith(b"\r\n\r\nabc")
    assert b"evil" not in asked.first
    assert b"Basic" not in asked.first


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1", "GET https://a.example.org/ HTTP/1.1", "GET ftp://a/ HTTP/1.1", "CONNECT a.example.org HTTP/1.1",
        "CONNECT a:0 HTTP/1.1", "CONNECT a:65536 HTTP/1.1", "CONNECT u@a:443 HTTP/1.1", "GET http://u@a/ HTTP/1.1",
        "CONNECT 0x7f.1:80 HTTP/1.1", "CONNECT a b:80 HTTP/1.1", "GET http://[::1/ HTTP/1.1", "x", "CONNECT [10.0.0.1]:1 HTTP/1.1",
        "CONNECT \xc3\xa9.example.org:443 HTTP/1.1", "CONNECT a:443 HTTP/2", "CONNECT a:443", "CONNECT\ta:443 HTTP/1.1",
    ],
)  # fmt: skip
def test_what_is_no_request_to_a_proxy(line: str) -> None:
    with pytest.raises(NotHttp):
        parse(_head(line, "Host: x"))


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda some: b"CONNECT " + some))
def test_any_bytes_are_a_request_or_none(head: bytes) -> None:
    try:
        parse(Head(head, b""))
    except NotHttp:
        return


async def _read(content: bytes) -> Head:
    """A head as it comes through a connection that stays open."""
    theirs, ours = socket.socketpair()
    theirs.setblocking(False)
    sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(theirs, content))
    stream = Stream(*await asyncio.open_connection(sock=ours))
    try:
        return await read_head(stream)
    finally:
        sending.cancel()
        stream.close()
        theirs.close()


@pytest.mark.parametrize(
    "content",
    [
        b"CONNECT a:443 HTTP/1.1\r\n" + b"a:b\r\n" * 12_500 + b"\r\n",
        b"CONNECT a:443 HTTP/1.1\r\n" + b"a:b\r\n" * MOST_HEAD_LINES + b"\r\n",
        b"GET http://a/ HTTP/1.1\r\n" + b"a:b\n" * MOST_HEAD_LINES + b"\r\n\r\n",
        b"GET http://a/" + b"a" * LONGEST_HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"a" * LONGEST_HEAD_BYTES,
    ],
    ids=["many lines", "a line too many", "lines without returns", "a long line", "no end"],
)
async def test_a_long_head_is_refused_before_anything_looks_into_it(content: bytes) -> None:
    with pytest.raises(HeadTooLarge):
        await _read(content)


async def test_a_head_as_long_as_may_be() -> None:
    lines = b"a:b\r\n" * (MOST_HEAD_LINES - 3)
    start = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + lines
    head = await _read(start + b"\r\n" + b"x" * LONGEST_HEAD_BYTES)
    assert head.content == start + b"\r\n"
    assert head.lines_to_read == MOST_HEAD_LINES
    assert parse(head).host == "a"
    assert (await _read(b"CONNECT a:443 HTTP/1.1\r\n" + lines + b"\r\n")).lines_to_read == 1


def test_refusals_are_problems() -> None:
    refusals = (
        (NotAllowed("why"), 403, "not-allowed"),
        (Unavailable("why"), 502, "unavailable"),
        (NotHttp("why"), 400, "bad-request"),
        (HeadTooLarge("why"), 431, "bad-request"),
    )
    for error, status, code in refusals:
        head, _, body = refusal(error).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert f"Content-Length: {len(body)}".encode() in head
        document = json.loads(body)
        assert (document["status"], document["code"], document["detail"]) == (status, code, "why")


def _question(name: str, kind: int = 1, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack("!HHHHHH", 7, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def _answer(answer: bytes | None) -> tuple[int, int, bytes]:
    """Code, number of records, the end of it."""
    assert answer is not None
    identifier, flags, _, records, _, _ = struct.unpack_from("!HHHHHH", answer)
    assert identifier == 7
    assert flags & 0x8000
    return flags & 0xF, records, answer[-4:]


def test_names_that_are_listed_have_addresses_and_others_do_not_exist() -> None:
    denied: list[str] = []
    names = Names(plan_instance(("db.internal:5432", "*.example.org"), platform=False), denied.append)
    assert _answer(names.answer(_question("DB.internal"))) == (0, 1, bytes([127, 1, 0, 1]))
    assert _answer(names.answer(_question("a.example.org"))) == (0, 1, bytes([127, 128, 0, 1]))
    assert _answer(names.answer(_question("b.example.org"))) == (0, 1, bytes([127, 128, 0, 2]))
    assert _answer(names.answer(_question("A.example.org"))) == (0, 1, bytes([127, 128, 0, 1]))
    assert names.behind("127.128.0.2") == "b.example.org"
    assert _answer(names.answer(_question("a.example.org", kind=28)))[:2] == (0, 0)
    assert denied == []
    for name in ("example.org", "evil.net", "a.example.org.evil.net"):
        assert _answer(names.answer(_question(name)))[:2] == (3, 0)
    assert denied == ["example.org", "evil.net", "a.example.org.evil.net"]
    assert _answer(names.answer(_question("1.0.0.127.in-addr.arpa", kind=12)))[:2] == (3, 0)
    assert len(denied) == 3


def test_names_without_end() -> None:
    names = Names(plan_instance(("*",), platform=False), lambda name: None)
    for number in range(MOST_NAMES + 10):
        names.answer(_question(f"n{number}.example.org"))
    assert names.behind("127.128.0.1") == f"n{MOST_NAMES}.example.org"
    assert len(names._given) == len(names._behind) == MOST_NAMES


@given(st.binary(max_size=600))
def test_any_bytes_are_a_question_or_none(data: bytes) -> None:
    Names(plan_instance(("*",), platform=False), lambda name: None).answer(data)


@pytest.mark.parametrize(
    ("environment", "host", "port", "found"),
    [
        ({}, "a", 443, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "a", 443, MachineProxy("proxy", 3128, None)),
        ({"https_proxy": "http://u:p%40@proxy:3128/"}, "a", 443, MachineProxy("proxy", 3128, "u:p@")),
        ({"HTTP_PROXY": "proxy:3128"}, "a", 80, MachineProxy("proxy", 3128, None)),
        ({"ALL_PROXY": "http://proxy"}, "a", 443, MachineProxy("proxy", 80, None)),
        ({"HTTPS_PROXY": "socks5://proxy"}, "a", 443, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "a"}, "a", 443, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": ".corp, *.x"}, "b.corp", 443, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "10.0.0.0/8"}, "10.1.1.1", 443, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "10.0.0.0/8,a"}, "b", 443, MachineProxy("proxy", 80, None)),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": "*"}, "b", 443, None),
    ],
)
def test_proxies_of_the_machine(environment: dict[str, str], host: str, port: int, found: MachineProxy | None) -> None:
    assert machine_proxy(environment, host, port) == found


def test_denials_are_told_once_in_a_while_and_not_without_end() -> None:
    now = [0.0]
    told: list[Denial] = []
    denials = Denials("i-1", told.append, lambda: now[0])
    for _ in range(5):
        denials.deny("a:80", "why")
    assert [one.destination for one in told] == ["a:80"]
    now[0] = AGAIN_AFTER_S + 1
    denials.deny("a:80", "why")
    assert told[-1] == Denial("i-1", "a:80", "why", unsaid=4)
    for number in range(100):
        denials.deny(f"b{number}:80", "why")
    assert len(told) <= MOST_AT_ONCE + 2
    now[0] += 3600
    denials.fail("c:80", "why")
    assert (told[-1].destination, told[-1].denied) == ("c:80", False)
    assert told[-1].unsaid > 70


def test_messages_come_back_as_they_were() -> None:
    guest = Guest("i-1", ("a", "*.b:1"), platform=True, proxies={"HTTPS_PROXY": "http://p"})
    assert to_guest(json.loads(pack(guest))) == guest


def test_hosts_of_registries() -> None:
    assert hosts.of_pip(Registries()) == ("pypi.org:443", "files.pythonhosted.org:443")
    registries = Registries(
        default="http://u:p@127.0.0.1:4000/simple",
        extra=("more=https://b.example.org/s",),
        links=("https://c.example.org/",),
    )
    assert hosts.of_pip(registries) == ("127.0.0.1:4000", "b.example.org:443", "c.example.org:443")
    assert hosts.of_npm(()) == ("registry.npmjs.org:443",)
    lines = (
        'registry = "https://npm.example.org/"',
        '@x:registry = "http://x.example.org:81/"',
        'cafile = "https://no"',
    )
    assert hosts.of_npm(lines) == ("npm.example.org:443", "x.example.org:81")
    assert hosts.of_go({}) == ("proxy.golang.org:443", "storage.googleapis.com:443", "sum.golang.org:443")
    assert hosts.of_go({"GOPROXY": "http://a:1|https://b,off", "GOSUMDB": "off"}) == ("a:1", "b:443")
    assert hosts.of_go({"GOPROXY": "https://a", "GOSUMDB": "sums.example.org+x+y"}) == ("a:443", "sums.example.org:443")
    assert hosts.of_go({"GOPROXY": "https://a", "GOSUMDB": "key https://s.example.org"}) == (
        "a:443",
        "s.example.org:443",
    )


def test_a_budget_is_used_up_and_comes_back() -> None:
    now = [0.0]
    budget = Budget(3, 2.0, lambda: now[0])
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    now[0] += 0.5
    assert [budget.take() for _ in range(2)] == [True, False]
    now[0] += 100
    assert sum(budget.take() for _ in range(10)) == 3
    now[0] += 1
    assert [budget.take(3), budget.take(2), budget.take()] == [False, True, False]
