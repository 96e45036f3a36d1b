"""Events of people and of what they may, on every driver: what changed and who did it, and nothing of the record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from faasioflex.bus import buckets
from faasioflex.bus.port import Bus
from faasioflex.bus.relay import EventRelay
from faasioflex.identity.people import People
from faasioflex.identity.port import Identity
from faasioflex.model.identity import (
    Grant,
    GrantsRecord,
    GroupRecord,
    SecretRecord,
    TokenRecord,
    TokenScope,
    Told,
    UserRecord,
)
from support.deadline import awaited


async def events(bus: Bus, count: int) -> list[dict[str, Any]]:
    """All, as soon as there are ``count``, in the order of their subjects on the bus."""

    async def found() -> list[tuple[str, bytes]]:
        async with bus.read(buckets.EVENTS.name, "ffx.event.>") as messages:
            return [(message.subject, message.data) async for message in messages]

    async def there() -> bool:
        return len(await found()) >= count

    await awaited(there, f"{count} events")
    return [{"on": subject, **json.loads(data)} for subject, data in sorted(await found())]


async def test_a_person_who_logs_in_again_is_no_event(bus: Bus) -> None:
    relay = EventRelay(bus)
    await relay.start()
    people = People(bus, lambda: 1.0)
    said = Identity("https://login.test", "ana", "ana@example.test", True, "Ana", (), "ffx-cli", 0.0)
    ana = await people.provision(said)
    await events(bus, 2)
    await people.provision(said)
    await people.provision(replace(said, groups=("staff",)))
    found = await events(bus, 3)
    await relay.stop()
    assert [one["on"] for one in found] == [
        "ffx.event.namespace.created.ana",
        f"ffx.event.user.created.{ana.uid}",
        f"ffx.event.user.updated.{ana.uid}",
    ]
    assert found[2]["type"] == "faasioflex.user.updated"
    assert found[2]["subject"] == ana.uid
    assert found[2]["data"] == {"by": ana.uid}
    assert "example.test" not in json.dumps(found)


async def test_grants_groups_tokens_and_secrets(bus: Bus) -> None:
    grants = bus.bucket(buckets.GRANTS.name, GrantsRecord)
    told = Told("created", "u-1", "user:u-2")
    await grants.create("acme.hello", GrantsRecord("uid-1", (Grant("user:u-2", ("read",)),), told))
    await grants.put("acme.hello", GrantsRecord("uid-1", (), Told("deleted", "u-1", "user:u-2")))
    groups = bus.bucket(buckets.GROUPS.name, GroupRecord)
    await groups.create("staff", GroupRecord("staff", (), (), "of the house", 0.0, "a@b.c", Told("created", "u-1")))
    await groups.delete("staff")
    token = TokenRecord("t-1", "personal", "ci", "u-1", "ana", TokenScope(), 0.0, 9.0, email="a@b.c")
    await bus.bucket(buckets.TOKENS.name, TokenRecord).create("t-1", replace(token, told=Told("created", "u-1")))
    secrets = bus.bucket(buckets.SECRETS.name, SecretRecord)
    secret = SecretRecord("acme", "db", "k-1", "bm9uY2U=", "c2VhbGVk", 1, 0.0, 0.0, "a@b.c", Told("created", "u-1"))
    await secrets.create("acme.db", secret)
    relay = EventRelay(bus)
    await relay.start()
    found = await events(bus, 6)
    await secrets.put("acme.db", replace(secret, told=None))  # encrypted with another key
    await secrets.put("acme.db", replace(secret, version=2, told=Told("updated", "u-1")))
    found = await events(bus, 7)
    await relay.stop()
    assert {one["on"].removeprefix("ffx.event."): one["data"] for one in found} == {
        "grant.created.acme.hello": {"by": "u-1", "to": "user:u-2"},
        "grant.deleted.acme.hello": {"by": "u-1", "to": "user:u-2"},
        "group.created.staff": {"by": "u-1"},
        "group.deleted.staff": {},
        "token.created.t-1": {"by": "u-1", "owner": "u-1", "kind": "personal"},
        "secret.created.acme.db": {"by": "u-1"},
        "secret.updated.acme.db": {"by": "u-1"},
    }
    assert all(word not in json.dumps(found) for word in ("a@b.c", "c2VhbGVk", "of the house"))


async def test_what_was_written_before_there_were_events_of_it_has_none(bus: Bus) -> None:
    users = bus.bucket(buckets.USERS.name, UserRecord)
    old = UserRecord("u-1", "login", "ana", "a@b.c", "Ana", "ana", "developer", (), 0.0, 0.0)
    await users.create("u-1", old)
    relay = EventRelay(bus)
    await relay.start()
    await users.put("u-1", replace(old, disabled=True, told=Told("updated", "u-9")))
    found = await events(bus, 1)
    await relay.stop()
    assert [(one["on"], one["data"]) for one in found] == [("ffx.event.user.updated.u-1", {"by": "u-9"})]
