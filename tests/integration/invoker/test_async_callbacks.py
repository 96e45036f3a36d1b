"""Callbacks: what is sent, how it is signed, where it never goes, and when it is tried again."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.queue.callbacks import DUE_S, Callbacks, Delivered, Delivery, GivenUp, RetryAt
from faasioflex.manager.secrets.callback_keys import CallbackKeys, CallbackSigner
from faasioflex.manager.secrets.master import HeldKeys
from faasioflex.manager.secrets.sealing import new_key
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.callback import parse_callback_hosts
from faasioflex.model.egress import Address
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.queue import Callback, QueuedCall
from faasioflex.runtime.own_addresses import OwnAddresses

ENDED = 1_000_000.0
MADE = Invocation("i-1", "acme/hello", 1, "succeeded", {"ñ": 1}, None, 1, ENDED - 2, ENDED - 1, ENDED, 5.0)
PAGE = Path(__file__).parents[3] / "docs/async.md"


class Receiver:
    """``answers``: in turn; then 204."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.seen.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Receiver]:
        runner = web.ServerRunner(web.Server(self.answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


class World:
    """``names``: what a name resolves to, one answer after the other; the last one stays."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.bus = MemoryBus()
        self.now = ENDED
        self.store = SecretStore(self.bus, HeldKeys([new_key()], "the test"), lambda: self.now)
        self.keys = CallbackKeys(self.store, lambda: self.now)
        self.signer = CallbackSigner(self.bus, self.keys)
        self.names: dict[str, list[list[str]]] = {}
        self.url = f"http://127.0.0.1:{receiver.port}/hook?x=%20y"

    async def resolve(self, host: str, port: int) -> list[Address]:
        found = self.names.get(host)
        if found is None:
            raise OSError(f"no such name: {host}")
        return [ipaddress.ip_address(each) for each in (found.pop(0) if len(found) > 1 else found[0])]

    async def deliver(self, url: str | None = None, *, allowed: str | None = None, **callback: Any) -> Delivery:
        hosts = f"127.0.0.1:{self.receiver.port}" if allowed is None else allowed
        own = OwnAddresses(lambda: frozenset({ipaddress.ip_address("8.8.4.4")}))
        callbacks = Callbacks(
            self.bus, parse_callback_hosts(hosts), clock=lambda: self.now, resolve=self.resolve, own=own
        )
        return await callbacks.deliver(call(Callback(url or self.url, **callback)), MADE)


def call(callback: Callback | None) -> QueuedCall:
    return QueuedCall(
        "i-1", "acme", "hello", "uid", None, "POST", "/", (), "", CalledBy("u-1", "ann"), "u-1", 1.0, callback=callback
    )


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with Receiver().serving() as receiver:
        made = World(receiver)
        await made.signer.start()
        yield made
        await made.bus.close()


def verified(headers: dict[str, str], body: bytes, key: str, now: float) -> bool:
    """By the example of the user's page."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102
    names["time"] = type("Clock", (), {"time": staticmethod(lambda: now)})
    return bool(names["verified"](headers, body, key))


async def test_the_outcome_is_posted_and_verifies_as_the_page_says(here: World) -> None:
    assert await here.deliver() == Delivered()
    ((headers, body),) = here.receiver.seen
    assert json.loads(body)["result"] == {"ñ": 1}
    assert json.loads(body)["invocation_id"] == headers["webhook-id"] == "i-1"
    assert headers["content-type"] == "application/json"
    (key,) = await here.keys.of("acme")
    assert verified(headers, body, key, here.now)
    assert not verified(headers, body + b" ", key, here.now)
    assert not verified(headers, body, key, here.now + 400)
    (other,) = await here.keys.of("other")
    assert not verified(headers, body, other, here.now)


async def test_a_secret_of_the_namespace_signs_where_it_is_named(here: World) -> None:
    await here.store.set("acme", "hook", b"whsec_c2VjcmV0", actor="ann")
    await here.store.set("other", "theirs", b"x", actor="bob")
    assert await here.deliver(secret="hook") == Delivered()
    headers, body = here.receiver.seen[0]
    assert verified(headers, body, "whsec_c2VjcmV0", here.now)
    gone = await here.deliver(secret="theirs")
    assert isinstance(gone, GivenUp)
    assert "no secret" in gone.why
    assert len(here.receiver.seen) == 1


async def test_a_rotation_leaves_receivers_a_day(here: World) -> None:
    (old,) = await here.keys.of("acme")
    here.now += 10
    await here.store.rotate("acme", actor="ann")
    new, before = await here.keys.of("acme")
    assert before == old != new
    await here.deliver()
    headers, body = here.receiver.seen[0]
    assert verified(headers, body, old, here.now)
    assert verified(headers, body, new, here.now)
    here.now += 86_401
    assert await here.keys.of("acme") == [new]


async def test_redirects_are_not_followed(here: World) -> None:
    here.receiver.answers = [
        web.Response(status=302, headers={"Location": f"http://127.0.0.1:{here.receiver.port}/in"})
    ]
    went = await here.deliver()
    assert isinstance(went, RetryAt)
    assert "302" in went.why
    assert len(here.receiver.seen) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "100.64.0.1", "fe80::1", "8.8.4.4"],
)
async def test_a_name_that_leads_inside_is_not_called(here: World, address: str) -> None:
    here.names["evil.example"] = [[address]]
    went = await here.deliver(f"http://evil.example:{here.receiver.port}/", allowed="")
    assert isinstance(went, GivenUp)
    assert "callback_hosts" in went.why
    assert here.receiver.seen == []


async def test_the_name_is_asked_once_so_no_second_answer_counts(here: World) -> None:
    """Rebinding: good at the check, inside at the connection. There is one answer, and both use it."""
    here.names["evil.example"] = [["192.0.2.1"], ["127.0.0.1"]]
    reached = asyncio.create_task(here.deliver(f"http://evil.example:{here.receiver.port}/", allowed=""))
    await asyncio.wait({reached}, timeout=0.3)
    reached.cancel()
    assert here.receiver.seen == []
    assert here.names["evil.example"] == [["127.0.0.1"]]  # asked once


async def test_a_host_that_the_operator_names_may_be_inside(here: World) -> None:
    here.names["hooks.lan"] = [["127.0.0.1"]]
    where = f"hooks.lan:{here.receiver.port}"
    assert await here.deliver(f"http://{where}/", allowed=where) == Delivered()
    assert here.receiver.seen[0][0]["host"] == where


async def test_what_fails_is_tried_again_until_it_is_late(here: World) -> None:
    here.receiver.answers = [web.Response(status=500) for _ in range(len(DUE_S) + 5)]
    tries, went = 0, await here.deliver()
    while isinstance(went, RetryAt):
        tries += 1
        assert went.at > here.now
        here.now = went.at
        went = await here.deliver()
    assert isinstance(went, GivenUp)
    assert len(DUE_S) - 1 <= tries + 1 <= len(DUE_S)
    assert here.now - ENDED <= DUE_S[-1] * 1.2 + 1
    async with here.bus.read("FFX_EVENTS", "ffx.event.invocation.callback-failed.acme.hello") as messages:
        (told,) = [json.loads(message.data) async for message in messages]
    assert told["data"]["invocation_id"] == "i-1"
    assert "500" in told["data"]["reason"]


async def test_what_the_receiver_says_of_when(here: World) -> None:
    here.receiver.answers = [web.Response(status=429, headers={"Retry-After": "120"}), web.Response(status=410)]
    went = await here.deliver()
    assert isinstance(went, RetryAt)
    assert went.at == here.now + 120
    assert isinstance(await here.deliver(), GivenUp)


async def test_what_cannot_be_had_for_the_moment_is_tried_again(here: World) -> None:
    assert isinstance(await here.deliver("http://nobody.example/", allowed=""), RetryAt)
    await here.signer.stop()
    assert isinstance(await here.deliver(), RetryAt)
    assert here.receiver.seen == []


async def test_a_large_result_is_left_out(here: World) -> None:
    bus, large = here.bus, replace(MADE, result="x" * 2_000_000)
    callbacks = Callbacks(bus, parse_callback_hosts(f"127.0.0.1:{here.receiver.port}"), clock=lambda: here.now)
    assert await callbacks.deliver(call(Callback(here.url)), large) == Delivered()
    assert json.loads(here.receiver.seen[0][1])["result"] is None


async def test_a_receiver_that_does_not_answer_holds_up_its_own_namespace_alone(here: World) -> None:
    held = asyncio.Event()

    async def hold(_: web.BaseRequest) -> web.Response:
        await held.wait()
        return web.Response()

    here.receiver.answer = hold  # type: ignore[method-assign]
    async with Receiver().serving() as slow, Receiver().serving() as quick:
        slow.answer = hold  # type: ignore[method-assign]
        hosts = parse_callback_hosts(f"127.0.0.1:{slow.port} 127.0.0.1:{quick.port}")
        callbacks = Callbacks(here.bus, hosts, clock=lambda: here.now)
        stuck = [
            asyncio.create_task(callbacks.deliver(call(Callback(f"http://127.0.0.1:{slow.port}/")), MADE))
            for _ in range(100)
        ]
        other = replace(call(Callback(f"http://127.0.0.1:{quick.port}/")), namespace="other")
        assert await asyncio.wait_for(callbacks.deliver(other, MADE), 10) == Delivered()
        held.set()
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert callbacks._places == {}
