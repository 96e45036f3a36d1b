"""People's records at their logins."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.people import RESERVED, People, slugs
from faasioflex.identity.port import Identity
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.identity import EMBEDDED_ISSUER, NamespaceRecord, UserRecord, user_id
from faasioflex.model.names import is_name

OURS = frozenset({"http://127.0.0.1:8080/oidc", "http://127.0.0.1:9090/oidc"})


def who(subject: str = "ana", issuer: str = "http://dex", **changes: object) -> Identity:
    made = Identity(issuer, subject, f"{subject}@example.test", True, subject.title(), (), "ffx-cli", 0.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def people(bus: MemoryBus, admin_emails: frozenset[str] = frozenset()) -> People:
    return People(bus, time.time, admin_emails, lambda: OURS)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("ana@example.test", "ana"),
        ("Ana.María-López+x@example.test", "ana-maria-lopez-x"),
        ("42@example.test", "user-42"),
        ("@example.test", "user"),
        ("José Núñez", "jose-nunez"),
        ("ana_@example.test", "ana"),
        ("a" * 80 + "@x", "a" * 34),
        ("李@x", "user"),
        ("admin@example.test", "admin-2"),
        ("system@example.test", "system-2"),
    ],
)
def test_a_namespace_is_named_after_the_address(text: str, slug: str) -> None:
    assert next(slugs(text, "u-0123456789abcdef01234567")) == slug


@given(st.text(max_size=100))
def test_whatever_the_address_the_names_are_names(text: str) -> None:
    found = list(slugs(text, "u-0123456789abcdef01234567"))
    assert all(is_name(one) and one not in RESERVED for one in found)
    assert len(set(found)) == len(found)


async def test_the_same_person_comes_again() -> None:
    bus = MemoryBus()
    first = await people(bus).provision(who(groups=("staff",)))
    assert (first.namespace, first.role, first.claimed_groups) == ("ana", "developer", ("staff",))
    again = await people(bus).provision(who(email="ana@new.test", name="Ana B", groups=("eng", "eng")))
    assert again.uid == first.uid
    assert (again.email, again.name, again.namespace, again.claimed_groups) == (
        "ana@new.test",
        "Ana B",
        "ana",
        ("eng",),
    )
    assert again.created_at == first.created_at


async def test_an_address_that_changes_hands_hands_nothing_over() -> None:
    bus = MemoryBus()
    first = await people(bus).provision(who("one", email="ana@example.test"))
    other = await people(bus).provision(who("two", email="ana@example.test"))
    elsewhere = await people(bus).provision(who("one", "http://other", email="ana@example.test"))
    assert len({first.uid, other.uid, elsewhere.uid}) == 3
    assert [one.namespace for one in (first, other, elsewhere)] == ["ana", "ana-2", "ana-3"]


async def test_the_embedded_logins_people_stay_who_they_are_when_the_port_changes() -> None:
    bus = MemoryBus()
    found = {(await people(bus).provision(who("42", issuer))).uid for issuer in OURS}
    assert found == {user_id(EMBEDDED_ISSUER, "42")}


async def test_the_disabled_stay_out() -> None:
    bus = MemoryBus()
    user = await people(bus).provision(who())
    users = bus.bucket("ffx_users", UserRecord)
    await users.put(user.uid, replace(user, disabled=True))
    with pytest.raises(NotAuthenticated, match="disabled"):
        await people(bus).provision(who())


async def test_a_verified_address_on_the_list_makes_an_admin_and_an_unverified_one_does_not() -> None:
    listed = frozenset({"Boss@Example.test"})
    assert (await people(MemoryBus(), listed).provision(who(email="boss@example.TEST"))).role == "admin"
    unsure = who(email="boss@example.test", email_verified=False)
    assert (await people(MemoryBus(), listed).provision(unsure)).role == "developer"


async def test_a_later_login_gives_no_other_role() -> None:
    bus = MemoryBus()
    await people(bus).provision(who(), "auditor")
    assert (await people(bus).provision(who(), "admin")).role == "auditor"


async def test_the_first_admin_has_the_namespace_admin_and_the_second_one_of_their_own() -> None:
    bus = MemoryBus()
    local = await people(bus).ensure_local_admin()
    assert (local.role, local.namespace) == ("admin", "admin")
    first = await people(bus).provision(who("ana"), "admin")
    second = await people(bus).provision(who("ben"), "admin")
    assert (first.namespace, second.namespace) == ("admin", "ben")
    entry = await bus.bucket("ffx_namespaces", NamespaceRecord).get("admin")
    assert entry is not None
    assert entry.value.owners == ("user:u-local", f"user:{first.uid}")
    assert await people(bus).ensure_local_admin() == local
