"""Which login a process of the platform takes people from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from faasioflex.bus.port import Bus
from faasioflex.gateway.port import TrustedIssuer
from faasioflex.platform.login_settings import words
from faasioflex.platform.settings import Settings

if TYPE_CHECKING:
    from fastapi import APIRouter

    from faasioflex.identity.issuer.embedded import EmbeddedLogin
    from faasioflex.identity.oidc.login import OidcLogin
    from faasioflex.identity.tokens.service import TokenService


def login_of(settings: Settings) -> OidcLogin | None:
    """Dex, or another OpenID Connect issuer. None: the embedded login, which is the platform's own issuer."""
    if settings.login == "embedded":
        return None
    from faasioflex.identity.oidc.id_token import Expected
    from faasioflex.identity.oidc.login import OidcLogin

    folder = settings.folder.identity
    audiences = words(settings.login_audiences) | {settings.login_client_id}
    expected = Expected(settings.login_issuer, audiences, settings.login_groups_claim)
    copy = folder / "login-keys.json"
    if settings.login == "dex" and settings.dex_grpc:
        from faasioflex.identity.dex.login import DexLogin
        from faasioflex.identity.dex.passwords import DexAddress

        files = (settings.dex_grpc_ca, settings.dex_grpc_cert, settings.dex_grpc_key)
        address = DexAddress(settings.dex_grpc, *(Path(name) if name else None for name in files))
        return DexLogin(expected, copy, address, folder / "dex-disabled.json")
    return OidcLogin(expected, copy)


def embedded_login(bus: Bus, settings: Settings, issuer: str) -> EmbeddedLogin:
    """The platform's own. Raises: Invalid where its file does not hold."""
    from faasioflex.identity.issuer.embedded import EmbeddedLogin
    from faasioflex.identity.issuer.static_file import read
    from faasioflex.identity.notify.outbox import Outbox
    from faasioflex.identity.notify.smtp import Smtp

    folder, secret = settings.folder, settings.smtp_password_file
    outside = Smtp(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_from,
        settings.smtp_tls,
        settings.smtp_user,
        Path(secret) if secret else None,
    )
    return EmbeddedLogin(
        bus,
        issuer,
        folder.login,
        notify=outside if settings.smtp_host else Outbox(folder.outbox),
        static=read(Path(settings.login_file)) if settings.login_file else None,
        first_admin=folder.first_admin,
        sign_up=settings.sign_up,
    )


def plug_in(login: EmbeddedLogin, tokens: TokenService) -> None:
    """Make the embedded login's grants those of the token endpoint."""
    from faasioflex.identity.issuer.grants import Grants

    login.attach(tokens)
    tokens.plug(Grants(login).plug())


def pages(login: EmbeddedLogin | None) -> tuple[APIRouter, ...]:
    """Of the embedded login, for the API's application."""
    if login is None:
        return ()
    from fastapi import APIRouter

    from faasioflex.identity.issuer.web.routes import routes

    return (APIRouter(routes=list(routes(login))),)


def trusted_login(login: OidcLogin | None, settings: Settings) -> tuple[TrustedIssuer, ...]:
    """Whose own tokens the gateway verifies too; nobody's while the login's keys are not known."""
    jwks = login.known_jwks() if login is not None else None
    if login is None or jwks is None:
        return ()
    return (TrustedIssuer(login.issuer, settings.login_client_id, json.dumps(jwks, sort_keys=True), ours=False),)


class LoginPart:
    """In every process that verifies tokens. A login that is away is no reason not to serve: its keys are kept on disk."""

    def __init__(self, login: OidcLogin) -> None:
        self._login = login

    @property
    def problem(self) -> str | None:
        return None

    async def start(self) -> None:
        await self._login.start()

    async def stop(self) -> None:
        await self._login.stop()
