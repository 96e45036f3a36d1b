"""Identity in a process of the platform: one directory and one verifier for all of its parts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from faasioflex.bus.port import Bus
from faasioflex.gateway.port import TrustedIssuer
from faasioflex.identity.authenticator import Authenticator
from faasioflex.identity.claims import AUDIENCE, Claims
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.tokens.admin_file import AdminTokenFile
from faasioflex.identity.tokens.grants import Plug
from faasioflex.identity.tokens.issuers import Issuers, issuer_of
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.long_lived import DAY_S, LongLivedTokens
from faasioflex.identity.tokens.mint import Mint
from faasioflex.identity.tokens.service import TokenService
from faasioflex.identity.tokens.upkeep import Upkeep
from faasioflex.identity.tokens.usage import UseRecorder, UseReporter
from faasioflex.identity.tokens.verifier import Verifier
from faasioflex.platform.login_settings import words
from faasioflex.platform.parts.login import embedded_login, login_of, pages, plug_in, trusted_login
from faasioflex.platform.settings import Settings

if TYPE_CHECKING:
    from faasioflex.api.identity import ApiIdentity


class ProcessIdentity:
    """What the parts of this process are given; each starts and stops the directory for itself.

    Whichever process is the first makes a key. Raises: Unavailable.
    """

    def __init__(self, bus: Bus, settings: Settings) -> None:
        folder = settings.folder
        self.directory = Directory(bus)
        self.keys = SigningKeys(folder.signing_keys)
        self.keys.ensure()
        self.issuers = Issuers(folder.issuers, issuer_of(settings.url(os.environ.get("FFX_GATEWAY_URL", ""))))
        self.mint = Mint(self.keys, self.issuers.current)
        self.settings = settings
        self.login = login_of(settings)
        self.embedded = None if self.login is not None else embedded_login(bus, settings, self.issuers.current)
        self.verifier = Verifier(self.keys, self.issuers.known, foreign=self._foreign)
        self.people = People(bus, time.time, admin_emails=words(settings.admin_emails), own_issuers=self.issuers.known)
        self.uses = UseReporter(bus, time.time)
        self.authenticate = Authenticator(self.verifier, self.directory, time.time, self.uses.record_use)
        self.tokens = TokenService(
            bus,
            directory=self.directory,
            people=self.people,
            keys=self.keys,
            mint=self.mint,
            verifier=self.verifier,
            clock=time.time,
            login=self.login or self.embedded,
        )
        if self.embedded is not None:
            plug_in(self.embedded, self.tokens)
        self.long_lived = LongLivedTokens(bus, self.directory, self.mint, time.time)
        if self.login is not None:
            elsewhere = {"issuer": self.login.issuer, "client_id": settings.login_client_id}
            self.tokens.plug(Plug(discovery=lambda: {"ffx_login": elsewhere}))  # where ``ffx login`` goes

    def trusted_issuers(self) -> tuple[TrustedIssuer, ...]:
        """Whose tokens the gateway verifies: ours, under each address that this platform has had, and the login's own."""
        jwks = json.dumps(self.keys.jwks(), sort_keys=True)
        ours = tuple(TrustedIssuer(issuer, AUDIENCE, jwks) for issuer in sorted(self.issuers.known()))
        return ours + trusted_login(self.login, self.settings)

    def _foreign(self, token: str, issuer: str) -> Claims | None:
        return self.login.foreign(token, issuer, time.time()) if self.login is not None else None


def process_identity(bus: Bus, settings: Settings) -> ProcessIdentity:
    """The same for all parts that are wired with ``bus``."""
    return _made(cast(Hashable, bus), settings)


@lru_cache(maxsize=1)
def _made(bus: Hashable, settings: Settings) -> ProcessIdentity:
    return ProcessIdentity(cast(Bus, bus), settings)


def api_identity(bus: Bus, settings: Settings) -> ApiIdentity:
    """What the API is given."""
    from faasioflex.api.identity import ApiIdentity
    from faasioflex.platform.parts.secrets import secret_store

    shared = process_identity(bus, settings)
    return ApiIdentity(
        shared.authenticate,
        shared.directory,
        shared.tokens,
        shared.long_lived,
        shared.people,
        login=shared.login or shared.embedded,
        invitations=shared.embedded.invite if shared.embedded is not None else None,
        routers=pages(shared.embedded),
        secrets=secret_store(bus, settings),
        nats_url=str(json.loads(settings.folder.nats_credentials.read_text())["url"]),
    )


class IdentityPart:
    """In the control process: keys, the admin's token in its file, uses of tokens, and what is over."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        shared = process_identity(bus, settings)
        folder = settings.folder
        self._issuers = shared.issuers
        self._embedded = shared.embedded
        self._directory = shared.directory
        self._upkeep = Upkeep(
            bus,
            shared.keys,
            jwks_path=folder.jwks,
            rotate_after_s=settings.key_rotation_days * DAY_S or None,
            clock=time.time,
        )
        self._admin_file = AdminTokenFile(
            folder.admin_token, people=shared.people, keys=shared.keys, mint=shared.mint, clock=time.time
        )
        self._uses = UseRecorder(bus, shared.directory, time.time)
        self._started = False

    @property
    def problem(self) -> str | None:
        return self._directory.problem if self._started else "identity has not started yet"

    async def start(self) -> None:
        self._issuers.remember()
        await self._upkeep.start()
        await self._admin_file.start()
        await self._directory.start()
        if self._embedded is not None:
            await self._embedded.start()
        await self._uses.start()
        self._started = True

    async def stop(self) -> None:
        await self._uses.stop()
        if self._embedded is not None:
            await self._embedded.stop()
        if self._started:
            await self._directory.stop()
        await self._admin_file.stop()
        await self._upkeep.stop()
