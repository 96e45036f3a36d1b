"""From what a request shows to who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from faasioflex.identity.directory import Directory
from faasioflex.identity.port import TokenVerifier
from faasioflex.identity.principal import ANONYMOUS, Principal
from faasioflex.model.errors import NotAuthenticated

LONGEST_TOKEN = 8 * 1024


class Authenticate(Protocol):
    """What the API, the invoker and the NATS callout are given."""

    def bearer(self, authorization: Sequence[str]) -> Principal:
        """Of the values of a request's Authorization headers; ANONYMOUS where there is none, or one of another scheme.

        Raises: NotAuthenticated (TokenExpired, TokenRevoked).
        """

    def token(self, token: str) -> Principal:
        """Raises: NotAuthenticated (TokenExpired, TokenRevoked)."""


class Authenticator:
    """``used`` hears the pid of each principal that showed a token (tokens.usage.UseReporter.record_use)."""

    def __init__(
        self,
        verifier: TokenVerifier,
        directory: Directory,
        clock: Callable[[], float] = time.time,
        used: Callable[[str], None] | None = None,
    ) -> None:
        self._verifier = verifier
        self._directory = directory
        self._clock = clock
        self._used = used

    def bearer(self, authorization: Sequence[str]) -> Principal:
        if not authorization:
            return ANONYMOUS
        if len(authorization) > 1:
            raise NotAuthenticated("Send one Authorization header, not several")
        scheme, _, token = authorization[0].strip().partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        return self.token(token.strip())

    def token(self, token: str) -> Principal:
        if len(token) > LONGEST_TOKEN:
            raise NotAuthenticated("The token is too long to be one of this platform")
        claims = self._verifier.verify(token)
        try:
            principal = self._directory.principal(claims, self._clock())
        except NotAuthenticated as error:
            error.pid = claims.pid
            raise
        if self._used is not None:
            self._used(principal.pid)
        return principal
