"""What the API knows of identity: who asks, who there is, and what makes tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.port import Login
from faasioflex.identity.principal import Principal
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.service import TokenService
from faasioflex.model.errors import NotAuthenticated


@dataclass(frozen=True)
class ApiIdentity:
    """Given to ``create_app``; ``start`` and ``stop`` are called by the app's lifespan."""

    authenticate: Authenticate
    directory: Directory
    tokens: TokenService
    long_lived: LongLivedTokens
    people: People
    login: Login | None = None  # None: nobody logs in here (tests)
    nats_url: str = ""  # where clients connect, without credentials
    routers: tuple[APIRouter, ...] = field(default=())  # pages that the embedded issuer adds

    async def start(self) -> None:
        """Return when it is known who there is and there is a key to sign with. Raises: Unavailable."""
        await self.directory.start()
        await self.tokens.start()

    async def stop(self) -> None:
        await self.directory.stop()


async def _identities(request: Request) -> ApiIdentity:
    found: ApiIdentity = request.app.state.services.identity
    return found


async def _caller(request: Request) -> Principal:
    identity = await _identities(request)
    principal = identity.authenticate.bearer(request.headers.getlist("authorization"))
    if principal.kind == "anonymous":
        raise NotAuthenticated("Send a token: Authorization: Bearer TOKEN. 'ffx login' gets one")
    return principal


async def _shown(request: Request) -> str:
    return request.headers.get("authorization", "").strip().partition(" ")[2].strip()


Identities = Annotated[ApiIdentity, Depends(_identities)]
Caller = Annotated[Principal, Depends(_caller)]
"""Who asks, signed in. Raises: NotAuthenticated."""
Shown = Annotated[str, Depends(_shown)]
"""The token that the request came with."""
