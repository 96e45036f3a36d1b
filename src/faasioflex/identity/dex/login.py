"""Dex as a login. Whoever comes by a connector (LDAP, GitHub …) is there; those with a password at Dex are made here."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import bcrypt

from faasioflex.identity.dex.disabled import DisabledPeople
from faasioflex.identity.dex.passwords import DexAddress, DexPasswords, Person
from faasioflex.identity.oidc.id_token import Expected
from faasioflex.identity.oidc.login import OidcLogin
from faasioflex.identity.port import LoginAbilities, LoginUser
from faasioflex.model.errors import FieldError, Invalid

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD_BYTES = 72  # bcrypt looks at no more
LONGEST_NAME = 200
COST = 12  # what Dex recommends
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class DexLogin(OidcLogin):
    """Disabled means: no password that anybody knows, and no refresh tokens. Dex tells nobody the hash from before, so who is
    enabled again gets a new password."""

    def __init__(
        self,
        expected: Expected,
        copy: Path,
        address: DexAddress,
        disabled: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        cost: int = COST,
    ) -> None:
        super().__init__(expected, copy, clock=clock)
        self.abilities = LoginAbilities(users=True, disable=True, device_code=True, password_reset=False)
        self._dex = DexPasswords(address)
        self._disabled = DisabledPeople(disabled)
        self._cost = cost
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        if self._holders == 0:
            await self._dex.start()
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self._holders == 0:
            await self._dex.stop()

    async def users(self) -> list[LoginUser]:
        people, off = await self._dex.people(), self._disabled.all()
        return [_shown(person, person.subject in off) for person in people]

    async def create_user(self, email: str, name: str, password: str) -> LoginUser:
        email = email.strip().lower()  # Dex finds people by it, whatever its case
        if not _EMAIL.fullmatch(email):
            raise _invalid("/email", "must be an e-mail address, like somebody@example.org")
        person = Person(str(uuid4()), email, _name(name) or email)
        await self._dex.create(person, await self._hashed(password))
        return _shown(person, False)

    async def change_user(
        self, subject: str, *, name: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> LoginUser:
        new_name = "" if name is None else _name(name)
        if name is not None and not new_name:
            raise _invalid("/name", "must not be empty")
        hashed = b"" if password is None else await self._hashed(password)
        async with self._writing:
            person = await self._dex.person(subject)
            was = subject in self._disabled.all()
            off = was if disabled is None else disabled
            if was and not off and not hashed:
                raise _invalid("/password", "give a new one: Dex has none of somebody who was disabled")
            if off and hashed:
                raise _invalid("/password", "somebody who is disabled has none: enable them with it")
            if off and not was:
                hashed = await self._hashed(secrets.token_urlsafe(48))
                await asyncio.to_thread(self._disabled.set, subject, True)  # first: never cut off and not known to be
            if new_name or hashed:
                await self._dex.update(person.email, name=new_name, hashed=hashed)
            if hashed:
                await self._dex.end_refresh_tokens(subject)
            if was and not off:
                await asyncio.to_thread(self._disabled.set, subject, False)
        return _shown(Person(person.user_id, person.email, new_name or person.name), off)

    async def delete_user(self, subject: str) -> None:
        async with self._writing:
            person = await self._dex.person(subject)
            await self._dex.end_refresh_tokens(subject)
            await self._dex.delete(person.email)
            await asyncio.to_thread(self._disabled.set, subject, False)

    async def _hashed(self, password: str) -> bytes:
        """Raises: Invalid where the password is too weak, or longer than Dex looks at."""
        data = password.encode()
        if len(password) < SHORTEST_PASSWORD:
            raise _invalid("/password", f"must have at least {SHORTEST_PASSWORD} characters")
        if len(data) > LONGEST_PASSWORD_BYTES or "\0" in password:
            raise _invalid("/password", f"must have at most {LONGEST_PASSWORD_BYTES} bytes, and no NUL")
        return await asyncio.to_thread(bcrypt.hashpw, data, bcrypt.gensalt(self._cost))


def _name(name: str) -> str:
    stripped = name.strip()
    if len(stripped) > LONGEST_NAME or not stripped.isprintable():
        raise _invalid("/name", f"must be at most {LONGEST_NAME} printable characters")
    return stripped


def _shown(person: Person, disabled: bool) -> LoginUser:
    """Dex takes the e-mail of whoever it keeps a password of for verified."""
    return LoginUser(person.subject, person.email, person.name, email_verified=True, disabled=disabled)


def _invalid(pointer: str, message: str) -> Invalid:
    return Invalid(f"{pointer[1:]} {message}", errors=(FieldError(pointer, message),))
