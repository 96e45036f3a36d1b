"""What the API knows of identity: who asks, who there is, and what makes tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from faasioflex.api.address_limit import AddressLimit
from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.port import Login
from faasioflex.identity.principal import Principal
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.service import TokenService
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.errors import NotAllowed, NotAuthenticated
from faasioflex.model.identity import Role

Invite = Callable[[str, str, Role, str], Awaitable[str]]
"""``(email, name, role, invited by)``: the embedded login's; the address to send to."""


@dataclass(frozen=True)
class ApiIdentity:
    """Given to ``create_app``; ``start`` and ``stop`` are called by the app's lifespan."""

    authenticate: Authenticate
    directory: Directory
    tokens: TokenService
    long_lived: LongLivedTokens
    people: People
    login: Login | None = None  # None: nobody logs in here (tests)
    secrets: SecretStore | None = None  # None: there are none (tests)
    nats_url: str = ""  # where clients connect, without credentials
    invitations: Invite | None = None
    routers: tuple[APIRouter, ...] = field(default=())  # pages that the embedded issuer adds
    token_limit: AddressLimit = field(default_factory=AddressLimit)

    async def invite(self, email: str, name: str, role: Role, by: Principal) -> str:
        """The address where somebody makes their own account, shown this once. Raises: NotAllowed (no such login), Conflict."""
        if self.invitations is None:
            raise NotAllowed(
                "Nobody is invited here: people are known when they have logged in once, or give a password"
            )
        return await self.invitations(email, name, role, by.display)

    async def start(self) -> None:
        """Return when it is known who there is and there is a key to sign with. Raises: Unavailable."""
        await self.directory.start()
        await self.tokens.start()
        if self.secrets is not None:
            await self.secrets.start()

    async def stop(self) -> None:
        await self.directory.stop()


async def _identities(request: Request) -> ApiIdentity:
    found: ApiIdentity = request.app.state.services.identity
    return found


async def caller_of(request: Request) -> Principal:
    """Who asks, signed in. Raises: NotAuthenticated."""
    identity = await _identities(request)
    principal = identity.authenticate.bearer(request.headers.getlist("authorization"))
    if principal.kind == "anonymous":
        raise NotAuthenticated("Send a token: Authorization: Bearer TOKEN. 'ffx login' gets one")
    return principal


async def _shown(request: Request) -> str:
    return request.headers.get("authorization", "").strip().partition(" ")[2].strip()


Identities = Annotated[ApiIdentity, Depends(_identities)]
Caller = Annotated[Principal, Depends(caller_of)]
"""Who asks, signed in. Raises: NotAuthenticated."""
Shown = Annotated[str, Depends(_shown)]
"""The token that the request came with."""
