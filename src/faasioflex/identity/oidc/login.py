"""Any issuer that speaks OpenID Connect, as a login: by discovery and its keys alone. Its people are its own affair."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import structlog

from faasioflex.identity.claims import Claims
from faasioflex.identity.oidc.id_token import Expected, identity_of, key_wanted
from faasioflex.identity.oidc.metadata import Metadata, fetched, keep, kept
from faasioflex.identity.port import Identity, LoginAbilities, LoginUser
from faasioflex.model.errors import NotAllowed, NotAuthenticated, Unavailable
from faasioflex.model.identity import user_id

log = structlog.get_logger()

REFRESH_S = 300.0  # how old keys may get; one that is not known is asked for at once
AGAIN_S = 5.0  # after a failure, and the least between two fetches: unknown keys cost the login no more than that
TIMEOUT_S = 5.0
_OWN_AFFAIR = "This login keeps its people itself: make, change and remove them there"


class OidcLogin:
    """``copy``: the file that keeps what the issuer said, so that tokens verify while it is away.

    Each part of a process that needs it starts and stops it for itself; the first starts, the last stops.
    """

    def __init__(
        self,
        expected: Expected,
        copy: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.issuer = expected.issuer
        self.abilities = LoginAbilities(users=False, disable=False, device_code=False, password_reset=False)
        self._expected = expected
        self._copy = copy
        self._clock = clock
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._metadata: Metadata | None = None
        self._problem: str | None = "the login has not started yet"
        self._tried_at = float("-inf")
        self._turn = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._holders = 0

    async def start(self) -> None:
        """Return when its keys are known, or it is known that they cannot be had now (see ``problem``)."""
        self._holders += 1
        if self._holders > 1:
            return
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, transport=self._transport)
        self._take(kept(self._copy, self.issuer))
        with suppress(Unavailable):
            await self._fetch()
        self._task = asyncio.create_task(self._refresh())

    async def stop(self) -> None:
        self._holders -= 1
        if self._holders > 0 or self._task is None or self._client is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._client.aclose()

    @property
    def problem(self) -> str | None:
        return None if self._metadata is not None else self._problem

    async def discovery(self) -> dict[str, object]:
        return dict((await self._known()).discovery)

    async def jwks(self) -> dict[str, object]:
        return dict((await self._known()).jwks)

    def known_jwks(self) -> dict[str, object] | None:
        """What is known now, for the gateway; no I/O."""
        return None if self._metadata is None else dict(self._metadata.jwks)

    async def verify_id_token(self, token: str, now: float) -> Identity:
        kid = key_wanted(token)
        metadata = await self._known()
        if not metadata.has(kid) and self._may_try():
            with suppress(Unavailable):
                await self._fetch()
            metadata = await self._known()
        return self._identity(metadata, token, kid, now)

    def foreign(self, token: str, issuer: str, now: float) -> Claims | None:
        """For the verifier: its own tokens as they are; None of other issuers. No I/O: an unknown key is asked for meanwhile.

        Raises: NotAuthenticated, TokenExpired.
        """
        if issuer != self.issuer:
            return None
        kid = key_wanted(token)
        if self._metadata is None:
            raise NotAuthenticated("The login's keys are not known yet: try again, or exchange the token")
        if not self._metadata.has(kid):
            self._wanted.set()
        found = self._identity(self._metadata, token, kid, now)
        return Claims(
            source="login",
            issuer=found.issuer,
            subject=found.subject,
            pid=user_id(found.issuer, found.subject),
            jti="",
            issued_at=found.issued_at,
            expires_at=found.expires_at,
            email=found.email if found.email_verified else "",
            name=found.name,
            groups=found.groups,
        )

    def _identity(self, metadata: Metadata, token: str, kid: str | None, now: float) -> Identity:
        if not metadata.has(kid):
            raise NotAuthenticated("The ID token is signed with a key that is none of this login")
        return identity_of(token, metadata.keys, self._expected, now)

    # its people are not here

    async def users(self) -> list[LoginUser]:
        raise NotAllowed(_OWN_AFFAIR)

    async def create_user(self, email: str, name: str, password: str) -> LoginUser:
        raise NotAllowed(_OWN_AFFAIR)

    async def change_user(
        self, subject: str, *, name: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> LoginUser:
        raise NotAllowed(_OWN_AFFAIR)

    async def delete_user(self, subject: str) -> None:
        raise NotAllowed(_OWN_AFFAIR)

    # what it says of itself

    async def _known(self) -> Metadata:
        if self._metadata is None and self._may_try():
            await self._fetch()
        if self._metadata is None:
            raise Unavailable(self._problem or "The login's keys are not known yet", retry_after_s=int(AGAIN_S))
        return self._metadata

    def _may_try(self) -> bool:
        return self._client is not None and self._clock() - self._tried_at >= AGAIN_S

    async def _fetch(self) -> None:
        """Raises: Unavailable. Those who come meanwhile wait for the one that is under way."""
        before = self._tried_at
        async with self._turn:
            if self._tried_at != before or self._client is None:
                return
            self._tried_at = self._clock()
            try:
                found = await fetched(self._client, self.issuer)
            except Unavailable as error:
                if self._problem != error.message:
                    log.warning("the login's keys cannot be got", reason=error.message)
                self._problem = error.message
                raise
            self._problem = None
            if self._metadata is None or found.jwks != self._metadata.jwks:
                try:
                    await asyncio.to_thread(keep, self._copy, found)
                except OSError as error:
                    log.warning("the login's keys cannot be kept", file=str(self._copy), reason=str(error))
            self._take(found)

    def _take(self, metadata: Metadata | None) -> None:
        if metadata is None:
            return
        self._metadata = metadata
        self.abilities = replace(self.abilities, device_code="device_authorization_endpoint" in metadata.discovery)

    async def _refresh(self) -> None:
        while True:
            wait_s = REFRESH_S if self._problem is None else AGAIN_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), wait_s)
                await asyncio.sleep(max(0.0, self._tried_at + AGAIN_S - self._clock()))
            self._wanted.clear()
            with suppress(Unavailable):
                await self._fetch()
