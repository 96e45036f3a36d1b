"""What the API knows of identity: who asks, who there is, and what makes tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter

from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.port import Login
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.service import TokenService


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
