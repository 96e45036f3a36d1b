"""The login driver of the platform itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog
from joserfc.jwk import KeySet

from faasioflex.bus.port import Bus
from faasioflex.identity.issuer.accounts import Accounts, checked_email, checked_name
from faasioflex.identity.issuer.clients import StaticClients
from faasioflex.identity.issuer.factor import SecondFactor
from faasioflex.identity.issuer.passwords import Passwords, check
from faasioflex.identity.issuer.state import States
from faasioflex.identity.issuer.static_file import StaticLogin
from faasioflex.identity.issuer.throttle import Throttle
from faasioflex.identity.oidc.id_token import Expected, identity_of
from faasioflex.identity.port import Identity, LoginAbilities, LoginUser, Notify
from faasioflex.identity.tokens.service import TokenService
from faasioflex.model.errors import Conflict, FfxError
from faasioflex.model.identity import Role
from faasioflex.model.login import Account

log = structlog.get_logger(__name__)
INVITATION_S = 7 * 86_400.0


class EmbeddedLogin:
    """``folder``: DIR/identity/login. ``first_admin``: the file of the first start. ``attach`` the token service before ``start``."""

    abilities = LoginAbilities(users=True, disable=True, device_code=True, password_reset=True)
    problem: str | None = None

    def __init__(
        self,
        bus: Bus,
        issuer: str,
        folder: Path,
        *,
        notify: Notify,
        static: StaticLogin | None = None,
        first_admin: Path | None = None,
        sign_up: str = "invitation",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.sign_up = sign_up
        self.notify = notify
        self.clock = clock
        self.accounts = Accounts(bus, clock)
        self.states = States(bus, clock)
        self.passwords = Passwords()
        self.throttle = Throttle(clock)
        self.factor = SecondFactor(folder)
        self.clients = StaticClients(issuer, static.clients if static is not None else {})
        self._static = static
        self._folder = folder
        self._first_admin = first_admin
        self._tokens: TokenService | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def attach(self, tokens: TokenService) -> None:
        self._tokens = tokens

    @property
    def tokens(self) -> TokenService:
        if self._tokens is None:
            raise AssertionError("the embedded login has no token service")
        return self._tokens

    async def start(self) -> None:
        """Take in the static file's people, and the first start's admin."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in self._static.passwords if self._static is not None else ():
            await self._take_in(one.email, one.name, one.password_hash, subject=one.subject)
        if self._first_admin is not None and self._first_admin.exists():
            said = json.loads(self._first_admin.read_text(encoding="utf-8"))
            await self._take_in(said["email"], "admin", said["password_hash"], role="admin", must_change=True)
            self._first_admin.unlink(missing_ok=True)

    async def _take_in(
        self,
        email: str,
        name: str,
        password_hash: str,
        *,
        subject: str | None = None,
        role: Role | None = None,
        must_change: bool = False,
    ) -> None:
        """Who is there already stays as they are."""
        try:
            await self.accounts.create(
                email, name, password_hash, verified=True, role=role, must_change=must_change, subject=subject
            )
        except Conflict:
            return

    async def stop(self) -> None:
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def discovery(self) -> dict[str, object]:
        return self.tokens.metadata()

    async def jwks(self) -> dict[str, object]:
        return dict(self.tokens.keys.jwks())

    async def verify_id_token(self, token: str, now: float) -> Identity:
        keys = KeySet.import_key_set(self.tokens.keys.jwks())  # type: ignore[arg-type]
        return identity_of(token, keys, Expected(self.issuer, self.clients.ids), now)

    async def users(self) -> list[LoginUser]:
        return [shown(account) for account in await self.accounts.all()]

    async def create_user(self, email: str, name: str, password: str) -> LoginUser:
        checked_email(email)
        check(password, email)
        hashed = await self.passwords.hashed(password)
        return shown(await self.accounts.create(email, name, hashed, verified=True))

    async def change_user(
        self, subject: str, *, name: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> LoginUser:
        account = await self.accounts.get(subject)
        if password is not None:
            check(password, account.email)
        hashed = await self.passwords.hashed(password) if password is not None else None

        def make(held: Account) -> Account:
            return replace(
                held,
                name=held.name if name is None else checked_name(name),
                password_hash=hashed or held.password_hash,
                disabled=held.disabled if disabled is None else disabled,
            )

        changed = await self.accounts.change(subject, make)
        if disabled or password is not None:
            await self.states.end_of(subject)
        return shown(changed)

    async def delete_user(self, subject: str) -> None:
        await self.accounts.delete(subject)
        await self.states.end_of(subject)

    async def set_password(self, account: Account, password: str) -> None:
        """Chosen by the person: ends every other login of theirs. Raises: Invalid, Unavailable."""
        check(password, account.email)
        hashed = await self.passwords.hashed(password)
        await self.accounts.change(
            account.subject, lambda held: replace(held, password_hash=hashed, must_change=False, email_verified=True)
        )
        await self.states.end_of(account.subject)
        await self.tokens.end_logins(self.issuer, account.subject)

    def send(self, to: str, subject: str, text: str) -> None:
        """In the background: how long it takes would tell whether there is anything to send."""
        task = asyncio.create_task(self._send(to, subject, text))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, to: str, subject: str, text: str) -> None:
        try:
            await self.notify(to, subject, text)
        except FfxError as error:
            log.warning("a mail was not sent", reason=error.message)

    async def invite(self, email: str, name: str, role: Role, by: str) -> str:
        """The address where somebody makes their own account. Raises: Invalid, Conflict."""
        if await self.accounts.by_email(checked_email(email)) is not None:
            raise Conflict("There is an account with this e-mail address")
        said = {"email": email, "name": checked_name(name), "role": role}
        url = f"{self.issuer}/join?code={await self.states.keep('invitation', said, INVITATION_S)}"
        await self.notify(
            email, "You are invited to FaaSioFlex", f"{by} invites you. Make your account here:\n\n{url}\n"
        )
        return url


def shown(account: Account) -> LoginUser:
    return LoginUser(account.subject, account.email, account.name, account.email_verified, account.disabled)


def identity_at(issuer: str, account: Account, client_id: str, at: float) -> Identity:
    """As an ID token would say it that was made when the password was given."""
    return Identity(
        issuer, account.subject, account.email, account.email_verified, account.name, (), client_id, at + 600, at
    )
