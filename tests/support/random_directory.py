"""Principals, grants and functions at random, for gateways that must agree with the policy on each of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.policy import allowed
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.function import Visibility
from faasioflex.model.identity import (
    GRANT_VERBS,
    ROLES,
    Binding,
    BindingsRecord,
    Grant,
    GrantsRecord,
    GroupRecord,
    NamespaceRecord,
    TokenRecord,
    TokenScope,
    UserRecord,
)
from faasioflex.model.names import FunctionName
from support.identity import TestIdentity
from support.origin import until

PEOPLE = ("ann", "ben", "cat", "dan", "eve", "fay")
GROUPS = ("red", "blue")
NAMESPACES = ("ann", "ben", "shared")
UID = "uid"


class RandomDirectory:
    """A directory at random over a bus in memory, and a token for each of its principals."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.bus = MemoryBus()
        self.identity = TestIdentity(self.bus)
        self.users: list[UserRecord] = []
        self.tokens: dict[str, str] = {}  # what it is -> token
        self.functions = [FunctionName(space, name) for space in NAMESPACES for name in ("one", "two")]
        self.visibility: dict[FunctionName, Visibility] = {
            name: self.chance.choice(get_args(Visibility)) for name in self.functions
        }

    async def make(self) -> None:
        await self.identity.start()
        for name in PEOPLE:
            self.users.append(await self.identity.user(name, self.chance.choice(ROLES), self.some(("it", "hr"))))
        now = time.time()
        for name in GROUPS:
            members = self.some([user.uid for user in self.users])
            record = GroupRecord(name, members, self.some(("it", "hr")), "", now, "")
            await self.bus.bucket(buckets.GROUPS.name, GroupRecord).put(name, record)
        shared = NamespaceRecord("shared", self.some(self.subjects()), False, "", now, "")
        await self.bus.bucket(buckets.NAMESPACES.name, NamespaceRecord).put("shared", shared)
        for space in NAMESPACES:
            bound = tuple(Binding(to, self.chance.choice(ROLES)) for to in self.some(self.subjects()))
            await self.bus.bucket(buckets.BINDINGS.name, BindingsRecord).put(space, BindingsRecord(space, bound))
        for name in self.functions:
            to = [*self.subjects(), *(f"function:{each}" for each in self.functions), "service:s-0", "service:s-1"]
            grants = tuple(Grant(each, self.verbs()) for each in self.some(to, 0.15))
            await self.bus.bucket(buckets.GRANTS.name, GrantsRecord).put(name.key, GrantsRecord(UID, grants))
        await self._sign(now)

    async def _sign(self, now: float) -> None:
        records = self.bus.bucket(buckets.TOKENS.name, TokenRecord)
        mint = self.identity.mint
        directory = self.identity.directory
        await until(lambda: len(directory.grants.entries) == len(self.functions) and len(directory.groups.entries) == 2)
        for user in self.users:
            self.tokens[user.email] = mint.access(user, (), now).token
        for number in range(8):
            user = self.chance.choice(self.users)
            record = TokenRecord(f"t-{number}", "personal", "", user.uid, user.namespace, self.scope(), now, now + 600)
            groups = tuple(sorted(directory.groups_of(user.uid, user.claimed_groups)))
            if number:  # what the first says of its owner is not so any more: the invoker has to do with it
                record = replace(record, groups=groups, email=user.email)
            await records.put(record.token_id, record)
            self.tokens[f"{record.token_id} of {user.email} {record.scope}"] = mint.personal(
                record, user, record.groups, now
            ).token
        for number in range(4):
            scope = replace(self.scope(), namespaces=self.some(NAMESPACES), verbs=self.verbs())
            record = TokenRecord(f"s-{number}", "service", "", self.users[0].uid, "ann", scope, now, now + 600)
            await records.put(record.token_id, record)
            self.tokens[f"{record.token_id} {scope}"] = mint.service(record, now).token
        for name in self.functions:
            self.tokens[f"function {name}"] = mint.function(name, UID, now).token
        disabled = self.users[-1]
        revision = await self.bus.bucket(buckets.USERS.name, UserRecord).put(
            disabled.uid, replace(disabled, disabled=True)
        )
        await until(lambda: self.identity.directory.users.revision >= revision)
        await until(lambda: len(self.identity.directory.tokens.entries) == 12)

    def some(self, of: Sequence[str], share: float = 0.3) -> tuple[str, ...]:
        return tuple(each for each in of if self.chance.random() < share)

    def verbs(self) -> tuple[object, ...]:
        return tuple(self.chance.sample(GRANT_VERBS, self.chance.randint(1, 2)))

    def subjects(self) -> list[str]:
        return [*(f"user:{user.uid}" for user in self.users), *(f"group:{name}" for name in GROUPS)]

    def scope(self) -> TokenScope:
        made = TokenScope()
        if self.chance.random() < 0.5:
            made = replace(made, namespaces=self.some(NAMESPACES))
        if self.chance.random() < 0.5:
            made = replace(made, functions=self.some([str(name) for name in self.functions]))
        if self.chance.random() < 0.5:
            made = replace(made, verbs=self.verbs())
        return made

    def says(self, token: str | None, name: FunctionName) -> bool:
        """The policy's word."""
        try:
            principal = self.identity.authenticate.bearer([f"Bearer {token}"] if token else [])
        except NotAuthenticated:
            return False
        directory = self.identity.directory
        return allowed(principal, "invoke", directory.function(name, self.visibility[name], UID))
