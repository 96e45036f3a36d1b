"""An invoker in this process with everything around it: a bus, a manager that answers wakes, instances on unix sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from faasioflex.bus.buckets import INVOCATIONS, ROUTES
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.port import Bus
from faasioflex.identity.badge import Badge
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.service import Invoker
from faasioflex.model.function import Limits
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.invocation import Invocation
from faasioflex.model.messages import WAKE_SUBJECT, WakeReply, WakeRequest
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from support.deadline import eventually
from support.fake_instance import FakeInstance
from support.identity import TestIdentity

Waking = Callable[[WakeRequest], Awaitable[WakeReply | None]]


PROOF = "proof of tests"
GATEWAY = {
    "x-ffx-proof": PROOF,
    "x-ffx-pid": LOCAL_ADMIN,
    "x-ffx-user": LOCAL_ADMIN,
}  # lets a call of the admin through


class World:
    """``wakes``: every WakeRequest so far. ``on_wake`` answers them; by default it starts an instance and routes to it.

    Calls are those of the platform's admin unless they have an Authorization of their own; ``token`` None: of nobody.
    """

    def __init__(self, folder: Path, bus: Bus, bounds: Bounds | None, **invoker: Any) -> None:
        self.folder = folder
        self.bus = bus
        self.socket = folder / "inv.sock"
        self.identity = TestIdentity(bus)
        self.who: dict[str, Any] = {
            "authenticate": self.identity.authenticate,
            "directory": self.identity.directory,
            "proof": PROOF,
        }
        self.invoker = Invoker(bus, self.socket, bounds=bounds, **{**self.who, **invoker})
        self.token: str | None = self.identity.admin
        self.routes = bus.bucket(ROUTES.name, FunctionRoute)
        self.invocations = bus.bucket(INVOCATIONS.name, Invocation)
        self.wakes: list[WakeRequest] = []
        self.on_wake: Waking = self.start_for_wake
        self.instances: list[FakeInstance] = []
        self.client: aiohttp.ClientSession

    async def start(self) -> None:
        await self.identity.people.ensure_local_admin()
        await self.bus.subscribe(WAKE_SUBJECT, self._woken)
        await self.invoker.start()
        connector = aiohttp.UnixConnector(str(self.socket), limit=0)
        self.client = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    async def stop(self) -> None:
        await self.client.close()
        await self.invoker.stop(drain_s=0.2)
        for instance in self.instances:
            await instance.kill()
        await self.bus.close()

    # functions

    async def instance(self, **fields: Any) -> FakeInstance:
        made = FakeInstance(f"i-{len(self.instances):016x}", self.folder / f"{len(self.instances)}.sock", **fields)
        await made.start()
        self.instances.append(made)
        return made

    async def route(
        self,
        name: str = "hello",
        *instances: FakeInstance,
        revision: int = 1,
        limits: Limits | None = None,
        **fields: Any,
    ) -> None:
        """Route ``acme/name`` with one revision that takes all traffic."""
        described = RevisionRoute(limits or Limits(), tuple(each.endpoint for each in instances))
        route = FunctionRoute("uid-1", "private", {revision: 100}, {revision: described})
        await self.put(name, replace(route, **fields))

    async def put(self, name: str, route: FunctionRoute) -> None:
        written = await self.routes.put(f"acme.{name}", route)
        await eventually(lambda: self.invoker._routes.revision >= written, "the invoker has the route")

    async def add_endpoint(self, name: str, revision: int, endpoint: Endpoint) -> None:
        entry = await self.routes.get(f"acme.{name}")
        assert entry is not None
        known = entry.value.revisions[revision]
        revisions = entry.value.revisions | {revision: replace(known, endpoints=(*known.endpoints, endpoint))}
        await self.routes.put(f"acme.{name}", replace(entry.value, revisions=revisions))

    async def start_for_wake(self, request: WakeRequest) -> WakeReply:
        instance = await self.instance()
        await self.add_endpoint(request.name, request.revision, instance.endpoint)
        return WakeReply(instance.endpoint.instance, instance.endpoint.address, 0.1)

    async def _woken(self, _: str, data: bytes) -> bytes | None:
        request = decode(WakeRequest, data)
        self.wakes.append(request)
        reply = await self.on_wake(request)
        return None if reply is None else encode(reply)

    # calls

    async def call_over_bus(self, name: str, payload: bytes, badge: Badge | None = None) -> dict[str, Any]:
        """The invocation that answers; of the admin unless ``badge`` says otherwise."""
        badge = badge or Badge(LOCAL_ADMIN, LOCAL_ADMIN, "jti", time.time())
        assert isinstance(self.bus, MemoryBus)
        made: dict[str, Any] = json.loads(
            await self.bus.request(f"ffx.call.acme.{name}", payload, 10, asker=badge.text)
        )
        return made

    def request(self, method: str, target: str, **how: Any) -> Any:
        """An aiohttp request context; ``target`` goes out as it is."""
        how["headers"] = self.headers(how.get("headers"))
        return self.client.request(method, URL(f"http://functions{target}", encoded=True), **how)

    async def call(self, method: str = "GET", target: str = "/f/acme/hello", **how: Any) -> tuple[int, str]:
        async with self.request(method, target, **how) as got:
            return got.status, await got.text()

    async def problem(self, method: str = "GET", target: str = "/f/acme/hello", **how: Any) -> dict[str, Any]:
        """The problem document that answers; checks that status and document agree."""
        async with self.request(method, target, **how) as got:
            assert got.content_type == "application/problem+json", await got.text()
            document: dict[str, Any] = await got.json(content_type=None)
            assert got.status == document["status"]
            document["retry_after"] = got.headers.get("Retry-After")
            return document

    def headers(self, given: Mapping[str, str] | None = None) -> CIMultiDict[str]:
        """With the token, where there is no other Authorization."""
        found = CIMultiDict(given or {})
        if self.token is not None:
            found.setdefault("Authorization", f"Bearer {self.token}")
        return found

    def signed(self, data: bytes) -> bytes:
        """A request's bytes, with the token behind the first line."""
        line, end, rest = data.partition(b"\r\n")
        if self.token is not None and end and rest:
            rest = f"Authorization: Bearer {self.token}\r\n".encode() + rest
        return line + end + rest

    async def raw(self, data: bytes) -> bytes:
        """Send a request's bytes, read until the invoker closes or has been silent for a moment after an answer."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(self.signed(data))
        got = b""
        with suppress(TimeoutError):
            while piece := await asyncio.wait_for(reader.read(65536), 0.5 if got else 5):
                got += piece
        writer.close()
        return got


@asynccontextmanager
async def world(*, bus: Bus | None = None, bounds: Bounds | None = None, **invoker: Any) -> AsyncIterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="ffxinv", dir="/tmp"))
    made = World(folder, bus or MemoryBus(), bounds, **invoker)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        shutil.rmtree(folder, ignore_errors=True)
