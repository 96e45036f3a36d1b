"""People, groups, namespaces, bindings, grants, tokens and revocations, as watched copies; and what follows from them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from faasioflex.bus import buckets
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.identity.access import Access, Revoked
from faasioflex.identity.claims import Claims
from faasioflex.identity.policy import Resource, allowed
from faasioflex.identity.principal import FUNCTION_PREFIX, USER_PREFIX, Principal
from faasioflex.model.errors import NotAuthenticated, TokenRevoked
from faasioflex.model.function import Visibility
from faasioflex.model.identity import (
    LOCAL_ADMIN,
    BindingsRecord,
    Grant,
    GrantsRecord,
    GroupRecord,
    NamespaceRecord,
    Revocation,
    Role,
    TokenRecord,
    UserRecord,
    user_id,
)
from faasioflex.model.names import FunctionName

MOST_REMEMBERED = 10_000


class Directory:
    """At most 1 s behind the registry while that can be reached; ``problem`` is None once all of it was read.

    Parts of one process share one: each starts it, and it stops with the last of them.
    """

    def __init__(self, bus: Bus) -> None:
        self.users: Mirror[UserRecord] = Mirror(bus.bucket(buckets.USERS.name, UserRecord))
        self.groups: Mirror[GroupRecord] = Mirror(bus.bucket(buckets.GROUPS.name, GroupRecord))
        self.namespaces: Mirror[NamespaceRecord] = Mirror(bus.bucket(buckets.NAMESPACES.name, NamespaceRecord))
        self.bindings: Mirror[BindingsRecord] = Mirror(bus.bucket(buckets.BINDINGS.name, BindingsRecord))
        self.grants: Mirror[GrantsRecord] = Mirror(bus.bucket(buckets.GRANTS.name, GrantsRecord))
        self.tokens: Mirror[TokenRecord] = Mirror(bus.bucket(buckets.TOKENS.name, TokenRecord))
        self.revoked: Mirror[Revocation] = Mirror(bus.bucket(buckets.REVOKED.name, Revocation))
        self._people: dict[tuple[str, tuple[str, ...]], Principal] = {}
        self._holders = 0
        for mirror in (self.users, self.groups, self.namespaces, self.bindings):
            mirror.listen(lambda _: self._people.clear())

    @property
    def _mirrors(self) -> tuple[Mirror[Any], ...]:
        return (
            self.users,
            self.groups,
            self.namespaces,
            self.bindings,
            self.grants,
            self.tokens,
            self.revoked,
        )

    @property
    def problem(self) -> str | None:
        return next((mirror.problem for mirror in self._mirrors if mirror.problem is not None), None)

    async def start(self) -> None:
        self._holders += 1
        await asyncio.gather(*(mirror.start() for mirror in self._mirrors))

    async def stop(self) -> None:
        self._holders -= 1
        if self._holders > 0:
            return
        await asyncio.gather(*(mirror.stop() for mirror in self._mirrors))

    def listen(self, callback: Callable[[], None]) -> None:
        """Call after each change of anything."""
        for mirror in self._mirrors:
            mirror.listen(lambda _: callback())

    async def learn(self, pid: str) -> None:
        """Take in what the leader has now of the person or the token ``pid``: made a moment ago, it counts at once.

        Raises: Unavailable.
        """
        if pid.startswith(USER_PREFIX):
            await self.users.catch_up(pid)
        else:
            await self.tokens.catch_up(pid)

    # who

    def principal(self, claims: Claims, now: float) -> Principal:
        """Of a verified token. Raises: TokenRevoked; NotAuthenticated where its person or function is not there any more."""
        self._check_revoked(claims)
        if claims.source == "login":
            return self._person(user_id(claims.issuer, claims.subject), claims, claims.groups)
        if claims.kind in ("personal", "service"):
            return self._of_token(claims, now)
        if claims.kind == "function":
            name = claims.subject.removeprefix(FUNCTION_PREFIX)
            return Principal(
                "function",
                claims.pid,
                claims.subject,
                name.partition(".")[0],
                jti=claims.jti,
                function_uid=claims.function_uid,
            )
        return self._person(claims.subject, claims, ())

    def principal_of_token(self, token: TokenRecord) -> Principal:
        """As who a personal or service token acts. Raises: NotAuthenticated where its owner is gone or disabled."""
        if token.kind == "service":
            return Principal(
                "service", token.token_id, token.token_id, token.namespace, scope=token.scope, name=token.name
            )
        person = self.person(token.owner)
        if person is None:
            raise NotAuthenticated("The account of this token is disabled or gone")
        return _with(person, pid=token.token_id, scope=token.scope)

    def person(self, uid: str, claimed: tuple[str, ...] = ()) -> Principal | None:
        """The person of ``uid`` with full scope; None where they are unknown or disabled."""
        known = self._people.get((uid, claimed))
        if known is not None:
            return known
        entry = self.users.entries.get(uid)
        if entry is None or entry.value.disabled:
            return None
        user = entry.value
        groups = self.groups_of(uid, {*user.claimed_groups, *claimed})
        made = Principal(
            "user",
            uid,
            uid,
            user.namespace,
            role=user.role,
            groups=groups,
            roles=self._roles(user.role, {f"user:{uid}", *(f"group:{name}" for name in groups)}),
            email=user.email,
            name=user.name,
        )
        if len(self._people) >= MOST_REMEMBERED:
            self._people.clear()
        self._people[(uid, claimed)] = made
        return made

    def groups_of(self, uid: str, claimed: Iterable[str]) -> frozenset[str]:
        """The platform's groups that ``uid`` is a member of, being in the groups ``claimed`` at the login."""
        claimed = set(claimed)
        return frozenset(
            name
            for name, entry in self.groups.entries.items()
            if uid in entry.value.members or not claimed.isdisjoint(entry.value.claims)
        )

    # what may be done to it

    def function(self, name: FunctionName, visibility: Visibility, uid: str) -> Resource:
        """For the policy. ``uid``: of the function's registration."""
        return Resource("function", name.namespace, name.name, visibility, self.grants_of(name, uid))

    def grants_of(self, name: FunctionName, uid: str) -> tuple[Grant, ...]:
        entry = self.grants.entries.get(name.key)
        return entry.value.grants if entry is not None and entry.value.function_uid == uid else ()

    def access(self, name: FunctionName, visibility: Visibility, uid: str) -> Access:
        """For the gateway: who may invoke, all of them. Everyone in it was asked of the policy."""
        resource = self.function(name, visibility, uid)
        if visibility == "public":
            return Access(public=True)
        people = self._candidates(resource)
        found = {
            person.pid
            for person in map(self.person, people)
            if person is not None and allowed(person, "invoke", resource)
        }
        found |= {
            f"{FUNCTION_PREFIX}{grant.to.removeprefix('function:').replace('/', '.')}"
            for grant in resource.grants
            if grant.to.startswith("function:") and {"invoke", "deploy", "admin"} & set(grant.verbs)
        }
        for token_id, entry in self.tokens.entries.items():
            token = entry.value
            if token.kind == "personal" and visibility == "private" and token.owner not in people:
                continue
            try:
                principal = self.principal_of_token(token)
            except NotAuthenticated:
                continue
            if token.kind == "personal" and not _says_what_is(token, principal):
                continue
            if allowed(principal, "invoke", resource):
                found.add(token_id)
        return Access(signed_in=visibility == "authenticated", pids=frozenset(found))

    def revocations(self) -> Revoked:
        """All that are on record, and who is disabled."""
        jtis, subjects = set(), [(uid, math.inf) for uid, entry in self.users.entries.items() if entry.value.disabled]
        for key, entry in self.revoked.entries.items():
            kind, _, rest = key.partition(".")
            if kind == "jti":
                jtis.add(rest)
            elif kind == "sub" and entry.value.before is not None:
                subjects.append((rest, entry.value.before))
        return Revoked(frozenset(jtis), tuple(sorted(subjects)))

    def _candidates(self, resource: Resource) -> set[str]:
        """Uids of everybody whom ownership, a binding, a grant or their role may let invoke; too many do no harm."""
        named = {grant.to for grant in resource.grants}
        namespace = self.namespaces.entries.get(resource.namespace or "")
        if namespace is not None:
            named.update(namespace.value.owners)
        bound = self.bindings.entries.get(resource.namespace or "")
        if bound is not None:
            named.update(binding.to for binding in bound.value.bindings)
        groups = {each.removeprefix("group:") for each in named if each.startswith("group:")}
        found = {each.removeprefix("user:") for each in named if each.startswith("user:")}
        for name in groups:
            group = self.groups.entries.get(name)
            if group is not None:
                found.update(group.value.members)
                found.update(self._claiming(set(group.value.claims)))
        return found | self._admins()

    def _claiming(self, claims: set[str]) -> set[str]:
        if not claims:
            return set()
        return {uid for uid, entry in self.users.entries.items() if not claims.isdisjoint(entry.value.claimed_groups)}

    def _admins(self) -> set[str]:
        return {uid for uid, entry in self.users.entries.items() if entry.value.role == "admin"}

    def _roles(self, role: Role, subjects: set[str]) -> dict[str, frozenset[Role]]:
        """Namespace -> roles there. An invoker owns nothing that they could deploy to."""
        found: dict[str, set[Role]] = {}
        for name, entry in self.namespaces.entries.items():
            if not subjects.isdisjoint(entry.value.owners) and not (entry.value.personal and role == "invoker"):
                found.setdefault(name, set()).add("admin")
        for name, bound in self.bindings.entries.items():
            for binding in bound.value.bindings:
                if binding.to in subjects:
                    found.setdefault(name, set()).add(binding.role)
        return {name: frozenset(roles) for name, roles in found.items()}

    def _person(self, uid: str, claims: Claims, claimed: tuple[str, ...]) -> Principal:
        person = self.person(uid, claimed)
        if person is not None:
            return _with(person, jti=claims.jti)
        if uid in self.users.entries:
            raise NotAuthenticated("This account is disabled")
        if claims.source == "platform":
            raise NotAuthenticated("The account of this token is gone: log in again")
        groups = self.groups_of(uid, claimed)
        roles = self._roles("developer", {f"user:{uid}", *(f"group:{name}" for name in groups)})
        return Principal(
            "user",
            uid,
            uid,
            None,
            groups=groups,
            roles=roles,
            email=claims.email,
            name=claims.name,
            jti=claims.jti,
        )

    def _of_token(self, claims: Claims, now: float) -> Principal:
        entry = self.tokens.entries.get(claims.pid)
        if entry is None:
            raise TokenRevoked("This token was revoked: make another one with 'ffx token create'")
        if entry.value.expires_at <= now:
            raise TokenRevoked("This token has ended: make another one with 'ffx token create'")
        return _with(self.principal_of_token(entry.value), jti=claims.jti)

    def _check_revoked(self, claims: Claims) -> None:
        uid = user_id(claims.issuer, claims.subject) if claims.source == "login" else claims.subject
        if f"jti.{claims.jti}" in self.revoked.entries:
            raise TokenRevoked("This token was revoked: log in again")
        cut = self.revoked.entries.get(f"sub.{uid}")
        if cut is not None and cut.value.before is not None and claims.issued_at < cut.value.before:
            raise TokenRevoked("All tokens of this account from before were revoked: log in again")


def _says_what_is(token: TokenRecord, owner: Principal) -> bool:
    """Whether functions may be told what stands in a personal token, which can be a year old."""
    return frozenset(token.groups) == owner.groups and token.email == owner.email


def is_local_admin(principal: Principal) -> bool:
    return principal.uid == LOCAL_ADMIN


def _with(principal: Principal, **changes: Any) -> Principal:
    return replace(principal, **changes)
