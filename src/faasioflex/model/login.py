"""Accounts of the embedded login. Written by the issuer alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from faasioflex.model.identity import Role


@dataclass(frozen=True)
class Account:
    """Bucket ``ffx_logins``, key ``subject``. ``totp``: the secret, encrypted; "" where there is no second factor."""

    subject: str
    email: str
    name: str
    email_verified: bool
    password_hash: str = field(repr=False)
    created_at: float
    role: Role | None = None  # of the platform's record, when it is made at the first login
    disabled: bool = False
    must_change: bool = False  # the password, at the next login
    totp: str = field(default="", repr=False)
    totp_step: int = 0  # of the last code that was taken: none is taken twice
    recovery: tuple[str, ...] = field(default=(), repr=False)  # hashes of codes that were not used yet


@dataclass(frozen=True)
class AccountEmail:
    """Bucket ``ffx_login_emails``, key: a hash of the address in lower case. What makes it one person's."""

    subject: str


@dataclass(frozen=True)
class LoginState:
    """Bucket ``ffx_login_state``, key ``kind.HASH`` of a secret that somebody holds: codes, sessions, links."""

    said: dict[str, str]
    expires_at: float
