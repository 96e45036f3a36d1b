"""A nats-server with the platform's own configuration, users let in by the callout, an invoker behind it: all but the processes."""

from __future__ import annotations

import asyncio
import ctypes
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats as nats_py
from nats.aio.client import Client

from faasioflex.bus import buckets, nats
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.identity.nats.rights import inbox
from faasioflex.identity.nats.service import Access, NatsUsers
from faasioflex.model.function import FunctionRecord, Limits, Visibility
from faasioflex.model.identity import Grant, GrantsRecord, GrantVerb, TokenRecord, TokenScope, UserRecord
from faasioflex.model.route import FunctionRoute, RevisionRoute
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import nats as server
from support.deadline import eventually
from support.invoker_world import World, world
from support.nats_server import free_port
from support.records import function_record


class PlatformNats:
    """nats-server as the supervisor starts it; ``start`` and ``kill`` may be repeated."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.load({"data": str(folder)}, {})
        self.folder = self.settings.folder
        for path in (self.folder.run, self.folder.identity):
            path.mkdir(parents=True, exist_ok=True)
        self.run = server.new_run(free_port())
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = server.write(self.folder, self.settings, self.run)
        with (self.folder.root / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        async with asyncio.timeout(20):
            while not await server.serves(self.run):
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    @property
    def access(self) -> Access:
        given = json.loads(self.folder.nats_credentials.read_text())
        return Access(**{name: given[name] for name in Access.__dataclass_fields__})


class NatsWorld:
    """``invoker``: its world, on the platform's account. Clients are plain nats-py ones."""

    def __init__(self, nats_server: PlatformNats, bus: NatsBus, invoker: World) -> None:
        self.server = nats_server
        self.bus = bus
        self.invoker = invoker
        self.identity = invoker.identity
        self.users = self.new_users()
        self.errors: list[str] = []
        self._clients: list[Client] = []

    def new_users(self) -> NatsUsers:
        """Another callout, as a new control process has it."""
        return NatsUsers(self.bus, self.server.access, self.identity.authenticate._verifier, self.identity.directory)

    async def stop(self) -> None:
        for client in self._clients:
            with suppress(Exception):
                await client.close()
        await self.users.stop()

    # people, functions

    async def user(self, name: str, **fields: Any) -> UserRecord:
        record = await self.identity.user(name, **fields)
        await eventually(lambda: record.uid in self.identity.directory.users.entries, "they are known")
        return record

    async def function(self, namespace: str, name: str, visibility: Visibility = "private") -> str:
        """Registered and routed to an instance that answers; its uid."""
        key, uid = f"{namespace}.{name}", f"uid-{namespace}-{name}"
        record = function_record(namespace, name, uid=uid, visibility=visibility)
        await self.bus.bucket(buckets.FUNCTIONS.name, FunctionRecord).put(key, record)
        instance = await self.invoker.instance()
        revision = RevisionRoute(Limits(), (instance.endpoint,))
        route = FunctionRoute(uid, visibility, {1: 100}, {1: revision})
        written = await self.bus.bucket(buckets.ROUTES.name, FunctionRoute).put(key, route)
        await eventually(lambda: self.invoker.invoker._routes.revision >= written, "it is routed")
        return uid

    async def grant(self, namespace: str, name: str, to: str, *verbs: GrantVerb) -> None:
        record = GrantsRecord(f"uid-{namespace}-{name}", (Grant(to, verbs),))
        written = await self.bus.bucket(buckets.GRANTS.name, GrantsRecord).put(f"{namespace}.{name}", record)
        await eventually(lambda: self.identity.directory.grants.revision >= written, "it is known")

    async def personal(self, user: UserRecord, token_id: str, scope: TokenScope, expires_at: float) -> str:
        record = TokenRecord(token_id, "personal", "t", user.uid, user.namespace, scope, 0.0, expires_at)
        await self.bus.bucket(buckets.TOKENS.name, TokenRecord).put(token_id, record)
        return self.identity.mint.personal(record, user, (), time.time()).token

    # clients

    async def connect(self, token: str | None, pid: str, **how: Any) -> Client:
        async def failed(error: Exception) -> None:
            self.errors.append(str(error))

        given = {"token": token} if token is not None else {}
        options = {"allow_reconnect": False, "inbox_prefix": inbox(pid), **given, **how}
        client = await nats_py.connect(self.server.run.url, error_cb=failed, connect_timeout=8, **options)
        self._clients.append(client)
        if not client.is_connected:  # a server that says nothing in time raises nothing in nats-py
            raise nats_py.errors.Error("no authorization within its time")
        return client

    async def user_client(self, user: UserRecord, **how: Any) -> Client:
        return await self.connect(self.identity.token(user), user.uid, **how)

    async def refused(self, client: Client) -> str:
        """The next complaint of the server."""
        await client.flush()
        await eventually(lambda: bool(self.errors), "the server complains")
        return self.errors.pop(0).lower()


async def call(
    client: Client, function: str, payload: bytes = b"1", *, timeout: float = 10.0, **how: Any
) -> dict[str, Any]:
    """The invocation that answers."""
    reply = await client.request(f"ffx.call.{function}", payload, timeout=timeout, **how)
    made: dict[str, Any] = json.loads(reply.data)
    return made


@asynccontextmanager
async def nats_world() -> AsyncIterator[NatsWorld]:
    folder = Path(tempfile.mkdtemp(prefix="ffxnu", dir="/tmp"))
    nats_server = PlatformNats(folder)
    try:
        await nats_server.start()
        run = nats_server.run
        bus = await nats.connect(run.url, server.USER, run.password, name="test", timeout_s=5.0)
        await setup.ensure(bus)
        async with world(bus=bus) as invoker:
            made = NatsWorld(nats_server, bus, invoker)
            try:
                await made.users.start()
                yield made
            finally:
                await made.stop()
    finally:
        nats_server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
