"""People's records: made when somebody logs in for the first time, brought up to date at every login."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.identity.port import Identity
from faasioflex.model.errors import Conflict, NotAuthenticated
from faasioflex.model.identity import EMBEDDED_ISSUER, LOCAL_ADMIN, NamespaceRecord, Role, Told, UserRecord, user_id
from faasioflex.model.names import ADMIN_NAMESPACE, is_name

T = TypeVar("T")
RESERVED = frozenset({ADMIN_NAMESPACE, "system", "faasioflex"})
LONGEST_SLUG = 34  # with a number behind it still a name
ATTEMPTS = 8
MOST_GROUPS = 200


class People:
    """``admin_emails``: verified addresses that are made admin at their first login, where the login makes no admin itself.

    ``own_issuers``: the platform's, whose people stay who they are when its address changes.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Callable[[], float],
        admin_emails: frozenset[str] = frozenset(),
        own_issuers: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._users: Bucket[UserRecord] = bus.bucket(buckets.USERS.name, UserRecord)
        self._namespaces: Bucket[NamespaceRecord] = bus.bucket(buckets.NAMESPACES.name, NamespaceRecord)
        self._clock = clock
        self._admin_emails = frozenset(email.lower() for email in admin_emails)
        self._own_issuers = own_issuers

    def uid(self, issuer: str, subject: str) -> str:
        """Of a person as their login knows them."""
        return user_id(self._issuer(issuer), subject)

    def is_of(self, user: UserRecord, issuer: str) -> bool:
        """Whether ``user`` logs in at ``issuer``, under whatever address that is one of ours now."""
        return user.issuer == self._issuer(issuer)

    def _issuer(self, issuer: str) -> str:
        return EMBEDDED_ISSUER if issuer in self._own_issuers() else issuer

    async def provision(self, identity: Identity, role: Role | None = None) -> UserRecord:
        """Who logged in, with what their login says now. ``role``: of a record that is made now.

        Raises: NotAuthenticated where the account is disabled; Unavailable.
        """
        uid = self.uid(identity.issuer, identity.subject)
        now = self._clock()
        for _ in range(ATTEMPTS):
            entry = await self._users.get(uid)
            if entry is None:
                made = await self._make(uid, identity, role, now)
                if made is not None:
                    return made
                continue
            if entry.value.disabled:
                raise NotAuthenticated("This account is disabled: ask an administrator of the platform")
            held = entry.value
            seen = replace(
                held,
                email=identity.email or held.email,
                name=identity.name or held.name,
                claimed_groups=tuple(sorted(set(identity.groups)))[:MOST_GROUPS],
                last_login_at=now,
                told=None,
            )
            if replace(seen, last_login_at=held.last_login_at) != held:
                seen = replace(seen, told=Told("updated", uid))  # by what their login says
            try:
                await self._users.update(uid, seen, entry.revision)
            except Conflict:
                continue
            return seen
        raise Conflict("This account is being changed all the time: log in again")

    async def ensure_local_admin(self) -> UserRecord:
        """The principal of the admin token's file, and the namespace ``admin``."""
        now = self._clock()
        owner = f"user:{LOCAL_ADMIN}"
        space = NamespaceRecord(ADMIN_NAMESPACE, (owner,), False, "the platform's own", now, owner)
        user = UserRecord(LOCAL_ADMIN, "", "local", "", "local admin", ADMIN_NAMESPACE, "admin", (), now, now)
        await _create(self._namespaces, ADMIN_NAMESPACE, space)
        return (await _create(self._users, LOCAL_ADMIN, user)).value

    async def _make(self, uid: str, identity: Identity, role: Role | None, now: float) -> UserRecord | None:
        """None where somebody else was faster."""
        verified = identity.email_verified and identity.email.lower() in self._admin_emails
        given: Role = role or ("admin" if verified else "developer")
        user = UserRecord(
            uid,
            self._issuer(identity.issuer),
            identity.subject,
            identity.email,
            identity.name,
            await self._namespace(uid, identity, given, now),
            given,
            tuple(sorted(set(identity.groups)))[:MOST_GROUPS],
            now,
            now,
            now,
            told=Told("created"),
        )
        try:
            await self._users.create(uid, user)
        except Conflict:
            return None
        return user

    async def _namespace(self, uid: str, identity: Identity, role: Role, now: float) -> str:
        """The person's own: the one that is theirs already, else the first free one of their e-mail's name."""
        owner = f"user:{uid}"
        if role == "admin" and await self._first_admin(owner, now):
            return ADMIN_NAMESPACE
        for name in slugs(identity.email or identity.name or "user", uid):
            record = NamespaceRecord(name, (owner,), True, "", now, owner, Told("created", uid))
            entry = await _create(self._namespaces, name, record)
            if entry.value.personal and entry.value.owners == (owner,):
                return name
        raise Conflict("No namespace could be made for this account: call again")

    async def _first_admin(self, owner: str, now: float) -> bool:
        """Whether the namespace ``admin`` is theirs: the first person who is made admin gets it, beside the local admin."""
        local = f"user:{LOCAL_ADMIN}"
        for _ in range(ATTEMPTS):
            entry = await _create(
                self._namespaces,
                ADMIN_NAMESPACE,
                NamespaceRecord(ADMIN_NAMESPACE, (local,), False, "the platform's own", now, local),
            )
            if owner in entry.value.owners:
                return True
            if set(entry.value.owners) != {local}:
                return False
            try:
                await self._namespaces.update(
                    ADMIN_NAMESPACE,
                    replace(entry.value, owners=(local, owner), told=Told("updated", about=owner)),
                    entry.revision,
                )
            except Conflict:
                continue
            return True
        raise Conflict("The namespace admin is being changed all the time: log in again")


def slugs(text: str, uid: str) -> Iterator[str]:
    """Names for a namespace, by preference: of the address before the @, with a number, at last of the uid."""
    local = unicodedata.normalize("NFKD", text.split("@", maxsplit=1)[0]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", local).strip("-")[:LONGEST_SLUG].strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"user-{slug}".strip("-")
    if is_name(slug) and slug not in RESERVED:
        yield slug
    for number in range(2, 100):
        yield f"{slug}-{number}"
    yield uid[:38]


async def _create(bucket: Bucket[T], key: str, value: T) -> Entry[T]:
    """What is there, or what is made now."""
    while True:
        entry = await bucket.get(key)
        if entry is not None:
            return entry
        try:
            return Entry(key, value, await bucket.create(key, value))
        except Conflict:
            continue
