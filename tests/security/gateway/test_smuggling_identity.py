"""Who somebody is and what they may call, told to the gateway in every crooked way: none of them is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.identity.access import Access, Revoked
from faasioflex.identity.claims import AUDIENCE
from faasioflex.model.names import FunctionName
from support import raw_h2
from support.envoy import Stack, revision, stack
from support.identity import ISSUER, throwaway_keys
from support.origin import Origin, until
from support.platform_tokens import bearer, token
from support.rawhttp import request, send

ALICE, BOB = "u-alice", "u-bob"


@dataclass
class World:
    """acme/open is everybody's, acme/a Alice's, acme/b Bob's; each has an instance."""

    stack: Stack
    instances: dict[str, Origin]
    functions: tuple[TableFunction, ...]
    number: int = 1

    @property
    def port(self) -> int:
        return self.stack.envoy.port

    async def apply(self, revoked: Revoked | None = None) -> None:
        self.number += 1
        issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(throwaway_keys().jwks()))
        table = RouteTable(self.number, self.functions, revoked or Revoked(), (issuer,))
        await self.stack.gateway.apply(table)

    @property
    def bobs_calls(self) -> int:
        return len(self.instances["b"].seen)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    admitted = {
        "a": Access(pids=frozenset({ALICE})),
        "b": Access(pids=frozenset({BOB})),
        "open": Access(public=True),
    }
    async with stack(proof="the proof of this run") as made:
        instances = {name: await made.instance(name) for name in admitted}
        functions = tuple(
            TableFunction(FunctionName("acme", name), access, (revision(1, instances[name]),))
            for name, access in admitted.items()
        )
        about = World(made, instances, functions)
        await about.apply()

        async def trusts() -> bool:
            return (await made.get("/f/acme/a", headers=bearer(token(ALICE))))[1] == "a"

        await until(trusts)
        yield about


FORGED = [
    "X-Ffx-Pid: u-bob",
    "x-ffx-pid: u-bob",
    "X_Ffx_Pid: u-bob",
    "x_ffx-pid: u-bob",
    "X-FFX-PID: u-bob\r\nX-Ffx-Pid: u-bob",
    "X-Ffx-User: u-bob",
    "X_FFX_USER: u-bob",
    "X-Ffx-Groups: admins",
    "X-Ffx-Email: bob@example.test",
    "X-Ffx-Proof: guess",
    "X-Ffx-Vhost: live\r\nX-Ffx-Pid: u-bob",
    "X-Ffx-Jti: x",
    "Connection: x-ffx-vhost, authorization\r\nX-Ffx-Pid: u-bob",
    "X-Other: 1\r\n X-Ffx-Pid: u-bob",
    "X-Other: 1\r\n\tX-Ffx-Pid: u-bob",
    "X-Ffx-Pid : u-bob",
    " X-Ffx-Pid: u-bob",
    "X-Other: 1\nX-Ffx-Pid: u-bob",
    "X-Other: 1\rX-Ffx-Pid: u-bob",
    "X-Other: 1\r\n\r\nX-Ffx-Pid: u-bob",
]


@pytest.mark.parametrize("who", ["nobody", "alice"])
async def test_no_header_from_outside_says_who_calls(world: World, who: str) -> None:
    shown = [f"Authorization: Bearer {token(ALICE)}"] if who == "alice" else []
    for lines in FORGED:
        for path in ("/f/acme/b", "/f/acme/open", "/functions"):
            try:
                await send(world.port, request(path, lines, *shown))
            except (AssertionError, ConnectionError, asyncio.IncompleteReadError):
                continue  # refused without a word
    assert world.bobs_calls == 0
    everything = [*world.stack.invoker.seen, *world.stack.api.seen, *world.instances["open"].seen]
    assert everything
    for seen in everything:
        said = {name: value for name, value in seen.headers.items() if name.replace("_", "-").startswith("x-ffx-")}
        assert not [value for value in said.values() if "bob" in value or value in ("admins", "guess")], said
        assert said.get("x-ffx-user") in (None, ALICE)


async def test_http_2_smuggles_no_identity(world: World) -> None:
    fields = [
        (b"x-ffx-pid", b"u-bob"),
        (b"X-Ffx-Pid", b"u-bob"),
        (b"x_ffx_pid", b"u-bob"),
        (b":x-ffx-pid", b"u-bob"),
        (b"x-other", b"1\r\nx-ffx-pid: u-bob"),
        (b"x-other\r\nx-ffx-pid", b"u-bob"),
        (b"x-ffx-pid\x00", b"u-bob"),
        (b"connection", b"x-ffx-vhost"),
        (b"transfer-encoding", b"chunked"),
    ]
    for field in fields:
        for path in (b"/f/acme/b", b"/f/acme/open"):
            await raw_h2.exchange(world.port, raw_h2.get(path, field))
    late = [*raw_h2.get(b"/f/acme/open"), (b":path", b"/f/acme/b"), (b":authority", b"u-bob")]
    await raw_h2.exchange(world.port, late)
    assert await raw_h2.exchange(world.port, raw_h2.get(b"/f/acme/open")) == b"open", "the client can speak"
    assert world.bobs_calls == 0
    for seen in [*world.stack.invoker.seen, *world.instances["open"].seen]:
        assert not [value for name, value in seen.headers.items() if name.startswith("x-ffx-") and "bob" in value]


PATHS = [
    "/f/acme/a/../b",
    "/f/acme/a/..%2fb",
    "/f/acme/a/%2e%2e/b",
    "/f/acme/a/.%2e/b",
    "/f/acme/a/x/../../b/y",
    "/f/acme/a/..\\b",
    "/f/acme/a/..;/b",
    "/f/acme/./b",
    "/f/acme//b",
    "//f/acme/b",
    "/f//acme/b",
    "/F/acme/b",
    "/f/acme/B",
    "/f/acme/%62",
    "/f/ac%6de/b",
    "/f%2facme%2fb",
    "/f/acme/b;a",
    "/f/acme/b%00",
    "/f/acme/b%20",
    "/f/acme/b2",
    "/f/acme/a?/f/acme/b",
    "/f/acme/a#/f/acme/b",
    "/f/acme/b?x",
    "/f/acme/b/",
    "/f/acme/b",
    "http://gateway.test/f/acme/b",
    "http://other.test/f/acme/b",
    "/x?/../f/acme/b",
]


async def test_no_spelling_of_a_path_gets_alice_to_bobs_function(world: World) -> None:
    mine = f"Authorization: Bearer {token(ALICE)}"
    for path in PATHS:
        answer = await send(world.port, request(path, mine))
        assert answer.body != b"b", path
        await raw_h2.exchange(
            world.port, raw_h2.get(path.encode(), (b"authorization", f"Bearer {token(ALICE)}".encode()))
        )
    for header in ("X-Original-Url", "X-Rewrite-Url", "X-Envoy-Original-Path", "X-Forwarded-Prefix", "X-Http-Path"):
        await send(world.port, request("/f/acme/a", mine, f"{header}: /f/acme/b"))
    assert world.bobs_calls == 0
    assert world.instances["a"].seen


INNER = b"GET /f/acme/b HTTP/1.1\r\nHost: gateway.test\r\nX-Ffx-Pid: u-bob\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + INNER


@pytest.mark.parametrize(
    "lines",
    [
        [f"Content-Length: {len(CHUNKED)}", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", f"Content-Length: {len(CHUNKED)}"],
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked", "Content-Length: 4"],
        ["Transfer-Encoding : chunked", "Content-Length: 4"],
        ["Transfer-Encoding: chunked, identity", "Content-Length: 4"],
        ["Transfer-Encoding:\tchunked", "Content-Length: 4"],
        ["Content-Length: 0", f"Content-Length: {len(CHUNKED)}"],
        [f"Content-Length: 0, {len(CHUNKED)}"],
        ["Content-Length: +0"],
        [f"Content-Length: {len(CHUNKED)}"],
    ],
    ids=lambda lines: " | ".join(lines)[:60],
)
async def test_no_call_is_hidden_in_the_body_of_another(world: World, lines: list[str]) -> None:
    head = request("/f/acme/open", *lines, method="POST")
    for path in ("/f/acme/open", "/functions"):
        try:
            await send(world.port, head.replace(b"/f/acme/open", path.encode()) + CHUNKED)
        except (AssertionError, ConnectionError, asyncio.IncompleteReadError):
            continue
    assert world.bobs_calls == 0
    for origin in (world.stack.api, world.stack.invoker, *world.instances.values()):
        assert not [seen for seen in origin.seen if seen.headers.get("x-ffx-pid") == BOB]
        assert not [seen for seen in origin.seen if seen.path.startswith("/f/acme/b")]


async def test_a_body_of_http_2_becomes_no_call_of_http_1(world: World) -> None:
    for length in (b"0", b"4", str(len(CHUNKED)).encode()):
        fields = [(b":method", b"POST"), *raw_h2.get(b"/f/acme/open")[1:], (b"content-length", length)]
        await raw_h2.exchange(world.port, fields, CHUNKED)
    assert world.bobs_calls == 0
    assert not [seen for seen in world.stack.invoker.seen if seen.path == "/f/acme/b"]


async def test_after_a_revocation_is_in_force_nothing_gets_through_whatever_races(world: World) -> None:
    mine = bearer(token(ALICE, jti="stolen"))
    answers: list[str] = []
    going = True

    async def keep_calling() -> None:
        while going:
            answers.append((await world.stack.get("/f/acme/a", headers=mine))[1])

    callers = [asyncio.create_task(keep_calling()) for _ in range(4)]
    await until(lambda: len(answers) > 20)
    assert set(answers) == {"a"}
    await world.apply(Revoked(frozenset({"stolen"})))
    async with asyncio.timeout(2):
        while "invoker" not in answers:
            await asyncio.sleep(0.005)
    since = len(answers) + len(callers)  # one call of each may be under way
    for number in range(3):  # other changes do not let it in again
        await world.apply(Revoked(frozenset({"stolen", f"other-{number}"})))
    await until(lambda: len(answers) > since + 60)
    going = False
    await asyncio.gather(*callers)
    assert set(answers[since:]) == {"invoker"}
