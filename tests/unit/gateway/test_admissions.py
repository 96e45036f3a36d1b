"""Who may call, kept in memory: what changes it and what does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.gateway.admissions import Admissions
from faasioflex.identity.access import Access
from faasioflex.model.identity import Binding, BindingsRecord, Grant, GrantsRecord, UserRecord
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute
from support.identity import TestIdentity
from support.origin import until

HELLO = FunctionName("alice", "hello")
ROUTE = FunctionRoute("uid", "private", {1: 100})


@dataclass
class World:
    bus: MemoryBus
    identity: TestIdentity
    admissions: Admissions
    changes: list[None]

    def access(self, route: FunctionRoute = ROUTE) -> Access:
        return self.admissions.of(HELLO, route)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    bus = MemoryBus()
    identity = TestIdentity(bus)
    changes: list[None] = []
    admissions = Admissions(identity.directory, lambda: changes.append(None))
    await identity.start()
    yield World(bus, identity, admissions, changes)
    await identity.stop()


async def test_a_grant_changes_the_function_that_it_is_about(world: World) -> None:
    alice, bob = await world.identity.user("alice"), await world.identity.user("bob")
    await until(lambda: alice.uid in world.access().pids)
    assert bob.uid not in world.access().pids
    other = world.admissions.of(FunctionName("alice", "other"), ROUTE)
    grants = GrantsRecord("uid", (Grant(f"user:{bob.uid}", ("invoke",)),))
    await world.bus.bucket(buckets.GRANTS.name, GrantsRecord).put(HELLO.key, grants)
    await until(lambda: bob.uid in world.access().pids)
    assert world.admissions.of(FunctionName("alice", "other"), ROUTE) is other, "not worked out again"


async def test_grants_of_a_registration_before_are_void(world: World) -> None:
    bob = await world.identity.user("bob")
    grants = GrantsRecord("uid", (Grant(f"user:{bob.uid}", ("invoke",)),))
    await world.bus.bucket(buckets.GRANTS.name, GrantsRecord).put(HELLO.key, grants)
    await until(lambda: bob.uid in world.access().pids)
    assert bob.uid not in world.access(replace(ROUTE, function_uid="another")).pids


async def test_a_binding_and_a_role_count_and_a_login_alone_changes_nothing(world: World) -> None:
    bob = await world.identity.user("bob")
    bound = BindingsRecord("alice", (Binding(f"user:{bob.uid}", "invoker"),))
    await world.bus.bucket(buckets.BINDINGS.name, BindingsRecord).put("alice", bound)
    await until(lambda: bob.uid in world.access().pids)
    known, changes = world.access(), len(world.changes)
    users = world.bus.bucket(buckets.USERS.name, UserRecord)
    seen = world.identity.directory.users
    revision = await users.put(bob.uid, replace(bob, last_login_at=5.0))
    await until(lambda: seen.revision >= revision)
    assert world.access() is known
    assert len(world.changes) == changes
    await users.put(bob.uid, replace(bob, disabled=True))
    await until(lambda: bob.uid not in world.access().pids)


async def test_what_is_gone_is_forgotten(world: World) -> None:
    known = world.access()
    world.admissions.keep({HELLO.key})
    assert world.access() is known
    world.admissions.keep(set())
    assert world.access() is not known
