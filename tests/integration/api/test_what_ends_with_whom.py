"""What was given ends with who it was given to, and with what it was given on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faasioflex.bus import buckets
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.function import FunctionRecord
from support.api_client import function
from support.api_world import ApiWorld, api_world
from support.deadline import awaited

HELLO = "/functions/alice/hello"


@pytest.fixture
async def world(bus: MemoryBus) -> AsyncIterator[ApiWorld]:
    async with api_world(bus) as made:
        yield made


async def test_grants_end_with_the_registration_that_they_were_given_on(world: ApiWorld) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.made(alice, "POST", "/functions/register", function())
    await world.made(alice, "PUT", f"{HELLO}/grants/user%3Abob@example.test", {"verbs": ["admin"]})
    await world.made(bob, "GET", HELLO)
    functions = world.bus.bucket(buckets.FUNCTIONS.name, FunctionRecord)
    held = await functions.get("alice.hello")
    assert held is not None
    await functions.delete("alice.hello")
    await functions.create("alice.hello", replace(held.value, uid="another"))
    assert (await world.ask(bob, "GET", HELLO)).status_code == 404
    assert (await world.made(alice, "GET", f"{HELLO}/grants")).json()["items"] == []
    assert (await world.ask(alice, "DELETE", f"{HELLO}/grants/user%3Abob@example.test")).status_code == 404
    carol = await world.person("carol")
    await world.made(alice, "PUT", f"{HELLO}/grants/user%3Acarol@example.test", {"verbs": ["read"]})
    await world.made(carol, "GET", HELLO)
    assert (await world.ask(bob, "GET", HELLO)).status_code == 404, "a grant to another does not revive the old one"


async def test_who_is_deleted_is_named_nowhere(world: ApiWorld) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.made(alice, "POST", "/functions/register", function())
    token = (await world.made(bob, "POST", "/tokens", {"name": "ci", "kind": "personal"})).json()
    for path, body in (
        ("/groups/staff", {"members": ["bob@example.test", "alice@example.test"]}),
        ("/namespaces/shared", {"owners": ["user:bob@example.test", "user:alice@example.test"]}),
        ("/namespaces/alice/bindings/user%3Abob@example.test", {"role": "developer"}),
        (f"{HELLO}/grants/user%3Abob@example.test", {"verbs": ["read"]}),
    ):
        await world.made(None, "PUT", path, body)
    shown = {"Authorization": f"Bearer {token['token']}"}
    assert (await world.client.get(HELLO, headers=shown)).status_code == 200
    await world.made(None, "DELETE", f"/users/{bob.uid}")

    async def out() -> bool:
        answers = [await world.client.get(HELLO, headers=one) for one in (shown, world.bearer(bob))]
        return all(answer.status_code == 401 for answer in answers)

    await awaited(out, "neither token holds any more")
    for path in ("/groups", "/namespaces/shared", "/namespaces/alice/bindings", f"{HELLO}/grants", "/tokens?all=true"):
        text = (await world.made(None, "GET", path)).text
        assert bob.uid not in text, path
        assert "bob@example.test" not in text, path
    assert (await world.made(None, "GET", "/groups/staff")).json()["members"] == ["alice@example.test"]
    again = await world.person("bob")

    async def in_again() -> bool:  # a cut-off is a whole second
        return (await world.ask(again, "GET", HELLO)).status_code != 401

    await awaited(in_again, "a token from after the cut-off holds")
    assert (await world.ask(again, "GET", HELLO)).status_code == 404, "who comes back starts with nothing"


async def test_a_group_that_is_deleted_takes_what_it_was_given(world: ApiWorld) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.made(alice, "POST", "/functions/register", function())
    await world.made(alice, "POST", "/functions/register", function("other"))
    await world.made(None, "PUT", "/groups/staff", {"members": ["bob@example.test"]})
    await world.made(alice, "PUT", f"{HELLO}/grants/group%3Astaff", {"verbs": ["read"]})
    await world.made(bob, "GET", HELLO)
    await world.made(alice, "PUT", "/namespaces/alice/bindings/group%3Astaff", {"role": "developer"})
    await world.made(bob, "GET", "/functions/alice/other")
    await world.made(None, "DELETE", "/groups/staff")
    for path in (HELLO, "/functions/alice/other"):
        assert (await world.ask(bob, "GET", path)).status_code == 404
    assert (await world.made(alice, "GET", f"{HELLO}/grants")).json()["items"] == []
    assert (await world.made(alice, "GET", "/namespaces/alice/bindings")).json()["items"] == []
    await world.made(None, "PUT", "/groups/staff", {"members": ["bob@example.test"]})
    assert (await world.ask(bob, "GET", HELLO)).status_code == 404, "another group of that name has nothing"
