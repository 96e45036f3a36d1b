"""The embedded login with its pages and the token endpoint, in the API's whole application, on a loopback port."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from faasioflex.api.app import create_app
from faasioflex.api.identity import ApiIdentity
from faasioflex.bus.memory.bus import MemoryBus
from faasioflex.identity.authenticator import Authenticator
from faasioflex.identity.directory import Directory
from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.static_file import StaticLogin
from faasioflex.identity.people import People
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.mint import Mint
from faasioflex.identity.tokens.service import TokenService
from faasioflex.identity.tokens.verifier import Verifier
from faasioflex.platform.parts.login import pages, plug_in
from support.identity import throwaway_keys


@dataclass
class Embedded:
    """``mails``: (to, subject, text)."""

    login: EmbeddedLogin
    url: str
    mails: list[tuple[str, str, str]] = field(default_factory=list)


@asynccontextmanager
async def embedded(
    folder: Path, *, static: StaticLogin | None = None, first_admin: Path | None = None, sign_up: str = "invitation"
) -> AsyncIterator[Embedded]:
    bus, keys = MemoryBus(), throwaway_keys()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    issuer, mails = f"{url}/oidc", list[tuple[str, str, str]]()

    async def notify(to: str, subject: str, text: str) -> None:
        mails.append((to, subject, text))

    login = EmbeddedLogin(
        bus, issuer, folder / "login", notify=notify, static=static, first_admin=first_admin, sign_up=sign_up
    )
    directory, mint = Directory(bus), Mint(keys, issuer)
    people = People(bus, time.time, own_issuers=lambda: frozenset({issuer}))
    verifier = Verifier(keys, lambda: frozenset({issuer}))
    tokens = TokenService(
        bus, directory=directory, people=people, keys=keys, mint=mint, verifier=verifier, clock=time.time, login=login
    )
    plug_in(login, tokens)
    identity = ApiIdentity(
        Authenticator(verifier, directory, time.time),
        directory,
        tokens,
        LongLivedTokens(bus, directory, mint, time.time),
        people,
        login,
        invitations=login.invite,
        routers=pages(login),
    )
    app = create_app(bus, identity, invoker_socket=folder / "none.sock", readiness=lambda: {})
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    await login.start()
    try:
        yield Embedded(login, url, mails)
    finally:
        await login.stop()
        server.should_exit = True
        await serving
