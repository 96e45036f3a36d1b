"""The accounts of the embedded login."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.model.errors import Conflict, FieldError, Invalid, NotFound
from faasioflex.model.identity import Role
from faasioflex.model.login import Account, AccountEmail

_EMAIL = re.compile(r"[^@\s\"<>(),:;\\\[\]\x00-\x20\x7f]{1,64}@[^@\s\"<>(),:;\\\[\]\x00-\x20\x7f]{1,189}")
_SUBJECT = re.compile(r"[A-Za-z0-9_=-]{1,128}")
LONGEST_NAME = 100


class Accounts:
    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self._accounts: Bucket[Account] = bus.bucket(buckets.LOGINS.name, Account)
        self._emails: Bucket[AccountEmail] = bus.bucket(buckets.LOGIN_EMAILS.name, AccountEmail)
        self._clock = clock

    async def all(self) -> list[Account]:
        return [entry.value for entry in await self._accounts.list()]

    async def get(self, subject: str) -> Account:
        """Raises: NotFound."""
        entry = await self._accounts.get(subject) if _SUBJECT.fullmatch(subject) else None
        if entry is None:
            raise NotFound("There is no such account")
        return entry.value

    async def by_email(self, email: str) -> Account | None:
        entry = await self._emails.get(_key(email))
        found = await self._accounts.get(entry.value.subject) if entry is not None else None
        return found.value if found is not None else None

    async def create(
        self,
        email: str,
        name: str,
        password_hash: str,
        *,
        verified: bool,
        role: Role | None = None,
        must_change: bool = False,
        subject: str | None = None,
    ) -> Account:
        """Raises: Invalid, Conflict."""
        email = checked_email(email)
        subject = subject or secrets.token_hex(16)
        if not _SUBJECT.fullmatch(subject):
            raise Invalid("The userID of an account must be letters, digits, - and _")
        made = Account(
            subject, email, checked_name(name), verified, password_hash, self._clock(), role, must_change=must_change
        )
        await self._claim(email, subject)
        await self._accounts.create(subject, made)
        return made

    async def change(self, subject: str, make: Callable[[Account], Account]) -> Account:
        """Raises: NotFound."""
        await self.get(subject)
        while True:
            entry = await self._accounts.get(subject)
            if entry is None:
                raise NotFound("There is no such account")
            changed = make(entry.value)
            try:
                await self._accounts.update(subject, changed, entry.revision)
            except Conflict:
                continue
            return changed

    async def delete(self, subject: str) -> None:
        """Raises: NotFound."""
        account = await self.get(subject)
        await self._accounts.delete(subject)
        await self._emails.delete(_key(account.email))

    async def _claim(self, email: str, subject: str) -> None:
        """The address; one whose account was never made, or is gone, is free. Raises: Conflict."""
        held = await self._emails.get(_key(email))
        if held is None:
            await self._emails.create(_key(email), AccountEmail(subject))
        elif await self._accounts.get(held.value.subject) is None:
            await self._emails.update(_key(email), AccountEmail(subject), held.revision)
        else:
            raise Conflict("There is an account with this e-mail address")


def checked_email(email: str) -> str:
    """Raises: Invalid."""
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid("That is no e-mail address", errors=(FieldError("/email", "must be like ada@example.org"),))
    return email


def checked_name(name: str) -> str:
    """Raises: Invalid."""
    name = name.strip()
    if len(name) > LONGEST_NAME or not (name.isprintable()):
        raise Invalid("The name is too long", errors=(FieldError("/name", f"at most {LONGEST_NAME} characters"),))
    return name


def _key(email: str) -> str:
    return hashlib.sha256(email.casefold().encode()).hexdigest()
