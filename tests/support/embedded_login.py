"""The embedded login with its pages and its token endpoint on a loopback port, over a bus in memory."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from faasioflex.api.identity import ApiIdentity
from faasioflex.api.routes import oidc
from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.authenticator import Authenticator
from faasioflex.identity.directory import Directory
from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.grants import Grants
from faasioflex.identity.issuer.web.routes import routes
from faasioflex.identity.people import People
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.mint import Mint
from faasioflex.identity.tokens.service import TokenService
from faasioflex.identity.tokens.verifier import Verifier
from support.deadline import eventually
from support.identity import throwaway_keys


@dataclass(frozen=True)
class _Services:
    identity: ApiIdentity


async def _nobody_told(to: str, subject: str, text: str) -> None: ...


@asynccontextmanager
async def embedded_login(folder: Path) -> AsyncIterator[EmbeddedLogin]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    issuer = f"http://127.0.0.1:{listener.getsockname()[1]}/oidc"
    issuers = frozenset({issuer})
    bus, keys = MemoryBus(), throwaway_keys()
    login = EmbeddedLogin(bus, issuer, folder / "login", notify=_nobody_told)
    directory, mint = Directory(bus), Mint(keys, issuer)
    people = People(bus, time.time, own_issuers=lambda: issuers)
    verifier = Verifier(keys, lambda: issuers)
    tokens = TokenService(
        bus,
        directory=directory,
        people=people,
        keys=keys,
        mint=mint,
        verifier=verifier,
        clock=time.time,
        login=login,
    )
    login.attach(tokens)
    tokens.plug(Grants(login).plug())
    long_lived = LongLivedTokens(bus, directory, mint, time.time)
    app = FastAPI(routes=[*routes(login)])
    app.include_router(oidc.router)
    app.state.services = _Services(
        ApiIdentity(Authenticator(verifier, directory), directory, tokens, long_lived, people, login)
    )
    await directory.start()
    await login.start()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await eventually(lambda: server.started, "the login serves")
        yield login
    finally:
        server.should_exit = True
        await serving
        await login.stop()
        await directory.stop()
