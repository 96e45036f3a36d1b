"""The gateway alone, to a uvicorn echo: with JWT and RBAC, against a bare Envoy with the same; with 1,000 people and 5,000 grants;
and how soon a new grant is live there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from bench import secured_envoy, servers
from bench.bench import Amount, say
from bench.caller import Caller
from bench.figures import Json, percentiles, spread
from bench.languages import LANGUAGES
from bench.measures.throughput import Contender
from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.gateway.controller import GatewayController
from faasioflex.gateway.envoy import bootstrap
from faasioflex.gateway.envoy.driver import EnvoyGateway
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import TrustedIssuer
from faasioflex.identity.claims import AUDIENCE
from faasioflex.identity.directory import Directory
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.mint import Mint
from faasioflex.model.function import Limits
from faasioflex.model.identity import Grant, GrantsRecord, UserRecord
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from faasioflex.platform import binaries

ISSUER = "http://127.0.0.1/oidc"
PEOPLE, GRANTS, FUNCTIONS = 1000, 5000, 100
ALONE, CROWDED, BARE = "1 person, 1 grant", f"{PEOPLE} people, {GRANTS} grants", "bare Envoy, JWT and RBAC"


class Gateway:
    """Controller, driver and Envoy over a bus in memory, in a thread with a loop of its own."""

    def __init__(self, folder: Path, upstream: str, keys: SigningKeys) -> None:
        folder.mkdir()
        self._keys = keys
        self._upstream = upstream
        self.port = servers.free_port()
        self.settings = EnvoySettings(
            folder=folder / "envoy",
            ads_socket=folder / "ads.sock",
            api_socket=folder / "api.sock",
            invoker_socket=folder / "invoker.sock",
            admin_socket=folder / "admin.sock",
            port=self.port,
        )
        self.bus = MemoryBus()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    @contextlib.contextmanager
    def serving(self, people: int, grants: int, functions: int, token: str) -> Iterator[servers.Server]:
        """Every person has as many grants as the others; the first is who calls."""
        running = self._controller(people, grants, functions)
        self.run(running.__aenter__())
        try:
            argv = bootstrap.command(self.settings, binaries.envoy(), log_level="error")
            address = f"http://127.0.0.1:{self.port}/f/bench/f0"
            with servers.gateway_envoy(argv, address, self.settings.folder.parent, token) as server:
                yield server
        finally:
            self.run(running.__aexit__(None, None, None))
            self._loop.call_soon_threadsafe(self._loop.stop)

    @contextlib.asynccontextmanager
    async def _controller(self, people: int, grants: int, functions: int) -> AsyncIterator[None]:
        for number in range(people):
            await self.bus.bucket(buckets.USERS.name, UserRecord).put(uid(number), _person(number))
        each = grants // functions
        for number in range(functions):
            await self.grant(number, [uid((number * each + of) % people) for of in range(each)])
            route = FunctionRoute(
                "uid", "private", {1: 100}, {1: RevisionRoute(Limits(), (Endpoint("i", self._upstream),))}
            )
            await self.bus.bucket(buckets.ROUTES.name, FunctionRoute).put(f"bench.f{number}", route)
        issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(self._keys.jwks()))
        controller = GatewayController(self.bus, EnvoyGateway(self.settings), Directory(self.bus), lambda: (issuer,))
        invoker = await asyncio.start_unix_server(_refuse, self.settings.invoker_socket)
        await controller.start()
        try:
            yield
        finally:
            await controller.stop()
            invoker.close()

    async def grant(self, function: int, uids: list[str]) -> None:
        record = GrantsRecord("uid", tuple(Grant(f"user:{one}", ("invoke",)) for one in uids))
        await self.bus.bucket(buckets.GRANTS.name, GrantsRecord).put(f"bench.f{function}", record)


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """In the invoker's place: 404 to every call, and an end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    writer.close()


def measure(folder: Path, amount: Amount) -> Json:
    folder.mkdir(parents=True)
    keys = SigningKeys(folder / "keys")
    keys.ensure()
    token = token_of(keys, 0)
    python = next(one for one in LANGUAGES if one.name == "python")
    assert python.bare is not None
    command, env = python.bare(folder)
    with contextlib.ExitStack() as stack:
        upstream = f"unix:{folder}/echo.sock"
        echo = stack.enter_context(servers.bare(command, upstream, folder, env))
        rules = secured_envoy.filters(ISSUER, AUDIENCE, json.dumps(keys.jwks()), uid(0))
        bare = stack.enter_context(servers.bare_envoy(upstream, folder, rules, token))
        alone = stack.enter_context(Gateway(folder / "a", upstream, keys).serving(1, 1, 1, token))
        crowd = Gateway(folder / "b", upstream, keys)
        crowded = stack.enter_context(crowd.serving(PEOPLE, GRANTS, FUNCTIONS, token))
        found = {
            name: Contender(name, one.address, lambda one=one: one.cpu_s() + echo.cpu_s(), one.cpu_s, lambda: token)  # type: ignore[misc]
            for name, one in ((BARE, bare), (ALONE, alone), (CROWDED, crowded))
        }
        for number in range(amount.rounds + 1):
            say(f"  round {number} of {amount.rounds}")
            for one in found.values():
                one.ask(amount.connections, amount.load_s if number else 1)
        for one in found.values():
            one.runs, one.cpu_us, one.envoy_us = one.runs[1:], one.cpu_us[1:], one.envoy_us[1:]
        live = _grants_live(crowd, keys, amount.block_calls)
    return {
        "contenders": {name: one.result() for name, one in found.items()},
        "ratios": [_ratio(found[ALONE], found[BARE]), _ratio(found[CROWDED], found[ALONE])],
        "grant_live_ms": live,
    }


def _grants_live(gateway: Gateway, keys: SigningKeys, times: int) -> Json:
    """From writing the record until the caller who was refused is served, asking all the time."""
    took = []
    for number in range(times):
        function = number % FUNCTIONS
        fresh = PEOPLE - 1 - number
        token = token_of(keys, fresh)
        address = f"http://127.0.0.1:{gateway.port}/f/bench/f{function}"
        kept = [uid((function * (GRANTS // FUNCTIONS) + of) % PEOPLE) for of in range(GRANTS // FUNCTIONS)]
        if uid(fresh) in kept:
            continue
        began = time.perf_counter()
        gateway.run(gateway.grant(function, [*kept, uid(fresh)]))
        while not _served(address, token):
            time.sleep(0.001)
        took.append(1000 * (time.perf_counter() - began))
    say(f"  a grant is live: {percentiles(took, 1)}")
    return percentiles(took, 1)


def _served(address: str, token: str) -> bool:
    try:
        with Caller(address, token) as caller:
            caller.call()
    except RuntimeError:
        return False
    return True


def _ratio(of: Contender, to: Contender) -> Json:
    return {
        "of": of.name,
        "to": to.name,
        "calls": spread([a.per_s / b.per_s for a, b in zip(of.runs, to.runs, strict=True)], 3),
        "envoy_cpu": spread([a / b for a, b in zip(of.envoy_us, to.envoy_us, strict=True) if b], 3),
    }


def uid(number: int) -> str:
    return f"u-{number:024x}"


def token_of(keys: SigningKeys, number: int) -> str:
    return Mint(keys, ISSUER).access(_person(number), (), time.time()).token


def _person(number: int) -> UserRecord:
    name = f"p{number}"
    return UserRecord(uid(number), "", name, f"{name}@example.test", name, name, "developer", (), 0.0, 0.0)
