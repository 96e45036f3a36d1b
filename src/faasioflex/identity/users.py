"""People, as administrators see and change them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.mentions import Mentions
from faasioflex.identity.people import People
from faasioflex.identity.port import Identity, Login
from faasioflex.identity.tokens.long_lived import LongLivedTokens
from faasioflex.identity.tokens.service import TokenService
from faasioflex.identity.write import change, cut, shown
from faasioflex.model.errors import NotAllowed, NotFound, WrongState
from faasioflex.model.identity import LOCAL_ADMIN, Role, Told, UserRecord


class Users:
    """``login`` None: nobody can be made here, they appear when they log in. There is one of this: in the API, the one writer."""

    def __init__(
        self,
        bus: Bus,
        *,
        directory: Directory,
        people: People,
        login: Login | None,
        tokens: TokenService,
        long_lived: LongLivedTokens,
        mentions: Mentions,
        now: Callable[[], float],
    ) -> None:
        self._bucket: Bucket[UserRecord] = bus.bucket(buckets.USERS.name, UserRecord)
        self._directory = directory
        self._people = people
        self._login = login
        self._tokens = tokens
        self._long_lived = long_lived
        self._mentions = mentions
        self._now = now
        self._leaving_admins = asyncio.Lock()  # one at a time, so that one is left

    def get(self, uid: str) -> UserRecord:
        """Raises: NotFound."""
        entry = self._directory.users.entries.get(uid)
        if entry is None:
            raise NotFound(f"There is nobody {uid} that you may see")
        return entry.value

    async def create(self, email: str, name: str, password: str, role: Role) -> UserRecord:
        """With an account at the login. Raises: NotAllowed (the login makes no accounts), Conflict, Invalid."""
        login = self._login
        if login is None or not login.abilities.users:
            raise NotAllowed("Accounts are not made here: people are known when they have logged in once")
        account = await login.create_user(email, name, password)
        said = Identity(login.issuer, account.subject, account.email, account.email_verified, account.name, (), "", 0.0)
        made = await self._people.provision(said, role)
        await shown(self._directory.users, lambda: made.uid in self._directory.users.entries)
        return self.get(made.uid)

    async def change(
        self,
        uid: str,
        *,
        name: str | None = None,
        role: Role | None = None,
        disabled: bool | None = None,
        password: str | None = None,
        by: str = "",
    ) -> UserRecord:
        """What is not None. ``by``: uid. Disabling voids all their tokens.

        Raises: NotFound, WrongState (the last admin), NotAllowed, Invalid.
        """
        held = self.get(uid)
        self._check_not_local(uid)
        if (role is not None and role != "admin") or disabled:
            async with self._one_admin_less(uid):
                made = await self._changed(held, name=name, role=role, disabled=disabled, password=password, by=by)
        else:
            made = await self._changed(held, name=name, role=role, disabled=disabled, password=password, by=by)
        if disabled or password is not None:
            await self._tokens.end_all(uid)
        return made

    async def _changed(
        self,
        held: UserRecord,
        *,
        name: str | None,
        role: Role | None,
        disabled: bool | None,
        password: str | None,
        by: str,
    ) -> UserRecord:
        await self._change_account(held, name=name, password=password, disabled=disabled)
        now = self._now()

        def make(entry: Entry[UserRecord] | None) -> UserRecord:
            if entry is None:
                raise NotFound(f"There is nobody {held.uid} any more")
            user = entry.value
            return replace(
                user,
                name=user.name if name is None else name,
                role=role or user.role,
                disabled=user.disabled if disabled is None else disabled,
                updated_at=now,
                told=Told("updated", by),
            )

        made, _ = await change(self._bucket, self._directory.users, held.uid, make)
        return made

    async def delete(self, uid: str) -> None:
        """With their account, tokens and everything that was given to them; what they registered stays.

        Raises: NotFound, WrongState (the last admin).
        """
        held = self.get(uid)
        self._check_not_local(uid)
        async with self._one_admin_less(uid):
            login = self._login
            if login is not None and login.abilities.users and self._people.is_of(held, login.issuer):
                with suppress(NotFound):  # of a try before, or deleted at the login
                    await login.delete_user(held.subject)
            await self._tokens.end_all(uid)
            await self._long_lived.remove_of(uid)
            await self._mentions.remove(f"user:{uid}")
            await cut(self._bucket, self._directory.users, uid)

    async def _change_account(
        self, held: UserRecord, *, name: str | None, password: str | None, disabled: bool | None
    ) -> None:
        login = self._login
        here = login is not None and login.abilities.users and self._people.is_of(held, login.issuer)
        if password is not None and not here:
            raise NotAllowed("The password of this account is kept elsewhere: it is changed where they log in")
        if login is None or not here:
            return
        if name is not None or password is not None or (disabled is not None and login.abilities.disable):
            try:
                await login.change_user(
                    held.subject, name=name, password=password, disabled=disabled if login.abilities.disable else None
                )
            except NotFound:
                if name is not None or password is not None:
                    raise  # else they come by a connector of the login (LDAP): what the record here says is what counts

    def _check_not_local(self, uid: str) -> None:
        if uid == LOCAL_ADMIN:
            raise NotAllowed("The local admin is whoever may read the platform's data folder: it cannot be changed")

    @asynccontextmanager
    async def _one_admin_less(self, uid: str) -> AsyncIterator[None]:
        """While ``uid`` is made something less, as the leader has it. Raises: WrongState where nobody would be left."""
        async with self._leaving_admins:
            people = {entry.key: entry.value for entry in await self._bucket.list()}
            admins = {
                key for key, one in people.items() if one.role == "admin" and not one.disabled and key != LOCAL_ADMIN
            }
            if admins == {uid}:
                raise WrongState(f"{people[uid].email or uid} is the last admin: make another one first")
            yield
