"""The ports of identity: verifying tokens, and the login drivers (embedded issuer, Dex, any OIDC issuer)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from faasioflex.identity.claims import Claims


class TokenVerifier(Protocol):
    """Signature, issuer, audience, times, type. Whether it was revoked, the directory knows."""

    def verify(self, token: str) -> Claims:
        """Raises: NotAuthenticated (with what is wrong, never with the token), TokenExpired. Bounded work: no I/O, and
        what was verified before is remembered until it expires."""


@dataclass(frozen=True)
class LoginUser:
    """A person as the login knows them. ``subject`` is the ``sub`` of their ID tokens."""

    subject: str
    email: str
    name: str
    email_verified: bool
    disabled: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """What a verified ID token says."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str
    groups: tuple[str, ...]
    audience: str
    expires_at: float
    issued_at: float = 0.0  # without it, nobody gets in whose tokens were ever cut off


@dataclass(frozen=True)
class LoginAbilities:
    """What a driver can; what it lacks is refused with a sentence (NotSupportedYet is not for that: NotAllowed)."""

    users: bool  # create, change, disable, delete
    disable: bool
    device_code: bool
    password_reset: bool


class Login(Protocol):
    """One login issuer. Every method but ``verify_id_token`` raises Unavailable while it cannot be reached."""

    issuer: str
    abilities: LoginAbilities

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    @property
    def problem(self) -> str | None: ...

    async def discovery(self) -> dict[str, object]:
        """The OpenID Connect discovery document."""

    async def jwks(self) -> dict[str, object]:
        """Its keys (JWK set), from a persisted copy while it is away."""

    async def verify_id_token(self, token: str, now: float) -> Identity:
        """An ID token for one of the configured audiences. Raises: NotAuthenticated, TokenExpired, Unavailable."""

    async def users(self) -> list[LoginUser]: ...

    async def create_user(self, email: str, name: str, password: str) -> LoginUser:
        """Raises: Conflict (the e-mail is taken), Invalid (e-mail, weak password), NotAllowed (driver without users)."""

    async def change_user(
        self, subject: str, *, name: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> LoginUser:
        """Raises: NotFound, Invalid, NotAllowed."""

    async def delete_user(self, subject: str) -> None:
        """Raises: NotFound, NotAllowed."""


Notify = Callable[[str, str, str], Awaitable[None]]
"""The notification port: ``(to, subject, text)``; raises Unavailable. Drivers: SMTP, and one that keeps messages in a file."""
