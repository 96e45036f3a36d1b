"""Principals, grants and functions at random: who reaches an instance through a real Envoy is whom the policy allows to."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest

from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.identity.claims import AUDIENCE
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
from support.envoy import revision, stack
from support.identity import ISSUER, TestIdentity, throwaway_keys
from support.origin import until

PEOPLE = ("ann", "ben", "cat", "dan", "eve", "fay")
GROUPS = ("red", "blue")
NAMESPACES = ("ann", "ben", "shared")
UID = "uid"


class Random:
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


@pytest.mark.parametrize("seed", range(4))
async def test_who_reaches_an_instance_is_whom_the_policy_allows(seed: int) -> None:
    made = Random(seed)
    await made.make()
    async with stack() as world:
        instance = await world.instance("instance")
        functions = tuple(
            TableFunction(
                name, made.identity.directory.access(name, made.visibility[name], UID), (revision(1, instance),)
            )
            for name in sorted(made.functions)
        )
        issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(throwaway_keys().jwks()))
        revoked = made.identity.directory.revocations()
        await world.gateway.apply(RouteTable(1, functions, revoked, (issuer,)))
        first = next(iter(made.tokens.values()))

        async def trusted() -> bool:
            await world.get("/f/no/body", headers={"Authorization": f"Bearer {first}"})
            return "x-ffx-pid" in world.invoker.seen[-1].headers

        await until(trusted)
        wrong = []
        for who, token in [("nobody", None), *made.tokens.items()]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for name in made.functions:
                status, answerer = await world.get(f"/f/{name}", headers=headers)
                assert status == 200
                direct, may = answerer == "instance", made.says(token, name)
                # A public function is for everybody; a token that is not good any more is looked at by the invoker first.
                if may and not direct and who.startswith("t-0 "):
                    continue
                if direct != may and not (made.visibility[name] == "public" and direct):
                    wrong.append(f"{who} -> {name} ({made.visibility[name]}): Envoy {direct}, policy {may}")
        assert not wrong, "\n".join(wrong)
    await asyncio.gather(made.identity.stop())
