"""Personal and service tokens: who may make which, and what they do then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.principal import ANONYMOUS, Principal
from faasioflex.identity.tokens.long_lived import DAY_S, MOST_NAMED, MOST_TOKENS, WantedToken
from faasioflex.model.errors import Invalid, NotAllowed, NotAuthenticated, NotFound, TokenRevoked
from faasioflex.model.identity import GroupRecord, UserRecord
from faasioflex.model.names import FunctionName
from support.deadline import eventually
from support.identity import TestIdentity


async def principal(identity: TestIdentity, name: str = "ana", **more: Any) -> Principal:
    return identity.authenticate.token(identity.token(await identity.user(name, **more)))


async def test_a_personal_token_acts_as_who_made_it(identity: TestIdentity, clock: Any) -> None:
    ana = await principal(identity)
    record, token = await identity.long_lived.create(ana, WantedToken("personal", "laptop"))
    assert record.expires_at == clock.now + 90 * DAY_S
    shown = identity.authenticate.token(token)
    assert (shown.kind, shown.uid, shown.pid) == ("user", ana.uid, record.token_id)
    assert token not in repr(record)


async def test_a_service_is_a_principal_of_its_own(identity: TestIdentity) -> None:
    ana = await principal(identity)
    wanted = WantedToken("service", "ci", namespaces=("ana",), verbs=("deploy",))
    record, token = await identity.long_lived.create(ana, wanted)
    shown = identity.authenticate.token(token)
    assert (shown.kind, shown.uid, shown.namespace) == ("service", record.token_id, "ana")
    assert shown.subjects == {f"service:{record.token_id}"}


WRONG = {
    "no name": WantedToken("personal", " "),
    "a name that cannot be printed": WantedToken("personal", "a\nb"),
    "a name that is long": WantedToken("personal", "n" * 101),
    "a short life": WantedToken("personal", "x", expires_in_s=59),
    "a long life": WantedToken("personal", "x", expires_in_s=366 * DAY_S + 1),
    "no namespaces": WantedToken("personal", "x", namespaces=()),
    "no verbs": WantedToken("personal", "x", verbs=()),
    "too many namespaces": WantedToken("personal", "x", namespaces=tuple(f"n{i}" for i in range(MOST_NAMED + 1))),
    "a namespace that is none": WantedToken("personal", "x", namespaces=("A B",)),
    "a function that is none": WantedToken("personal", "x", functions=("a/b/c",)),
    "a function elsewhere": WantedToken("personal", "x", namespaces=("ana",), functions=("ben/f",)),
    "a namespace of a personal token": WantedToken("personal", "x", namespace="ana"),
    "a service without namespaces": WantedToken("service", "x", verbs=("invoke",)),
    "a service without verbs": WantedToken("service", "x", namespaces=("ana",)),
    "a service that is elsewhere": WantedToken("service", "x", "ben", namespaces=("ana",), verbs=("invoke",)),
}


@pytest.mark.parametrize("wanted", WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_is_refused(identity: TestIdentity, wanted: WantedToken) -> None:
    with pytest.raises(Invalid) as refused:
        await identity.long_lived.create(await principal(identity), wanted)
    assert refused.value.errors[0].pointer.startswith("/")


async def test_a_service_needs_an_admin_of_all_of_its_namespaces(identity: TestIdentity) -> None:
    ana, _ = await principal(identity), await principal(identity, "ben")
    for namespaces in (("ben",), ("ana", "ben"), ("admin",), ("nobodys",)):
        wanted = WantedToken("service", "x", namespaces=namespaces, verbs=("invoke",))
        with pytest.raises(NotAllowed, match="no admin"):
            await identity.long_lived.create(ana, wanted)
    for role in ("operator", "auditor"):
        other = await principal(identity, f"the-{role}", role=role)
        with pytest.raises(NotAllowed):
            await identity.long_lived.create(other, WantedToken("service", "x", namespaces=("ana",), verbs=("invoke",)))
    local = identity.authenticate.token(identity.admin)
    await identity.long_lived.create(local, WantedToken("service", "x", namespaces=("ben",), verbs=("invoke",)))


SCOPES = [
    # what the token that asks may, what is asked for, whether it is given
    (WantedToken("personal", "a"), WantedToken("personal", "x"), True),
    (WantedToken("personal", "a", verbs=("admin", "invoke")), WantedToken("personal", "x", verbs=("invoke",)), True),
    (WantedToken("personal", "a", verbs=("admin",)), WantedToken("personal", "x", verbs=("invoke",)), False),
    (WantedToken("personal", "a", verbs=("admin",)), WantedToken("personal", "x"), False),
    (WantedToken("personal", "a", verbs=("invoke",)), WantedToken("personal", "x", verbs=("invoke",)), False),
    (WantedToken("personal", "a", verbs=("read",)), WantedToken("personal", "x", verbs=("read",)), False),
    (WantedToken("personal", "a", verbs=("deploy",)), WantedToken("personal", "x", verbs=("deploy",)), False),
    (WantedToken("personal", "a", namespaces=("ana",)), WantedToken("personal", "x", namespaces=("ana",)), False),
    (WantedToken("personal", "a", functions=("ana/f",)), WantedToken("personal", "x", functions=("ana/f",)), False),
]


@pytest.mark.parametrize(("held", "wanted", "given"), SCOPES)
async def test_a_token_makes_none_that_reaches_further(
    identity: TestIdentity, held: WantedToken, wanted: WantedToken, given: bool
) -> None:
    _, token = await identity.long_lived.create(await principal(identity), held)
    shown = identity.authenticate.token(token)
    if given:
        await identity.long_lived.create(shown, wanted)
    else:
        with pytest.raises(NotAllowed):
            await identity.long_lived.create(shown, wanted)


async def test_services_functions_and_strangers_make_no_tokens(identity: TestIdentity) -> None:
    ana = await principal(identity)
    wanted = WantedToken("service", "ci", namespaces=("ana",), verbs=("admin",))
    record, token = await identity.long_lived.create(ana, wanted)
    service = identity.authenticate.token(token)
    function = Principal("function", "f-ana.f", "f-ana.f", "ana")
    for other in (service, function, ANONYMOUS):
        with pytest.raises(NotAllowed):
            await identity.long_lived.create(other, WantedToken("personal", "x"))
        with pytest.raises(NotAllowed):
            await identity.long_lived.list(other)
        with pytest.raises(NotFound):
            await identity.long_lived.revoke(other, record.token_id)


async def test_others_tokens_are_not_there(identity: TestIdentity) -> None:
    ana, ben = await principal(identity), await principal(identity, "ben")
    record, _ = await identity.long_lived.create(ana, WantedToken("personal", "x"))
    for wrong in (record.token_id, "t-" + "0" * 24, "t-*", "t-.", ">", ""):
        with pytest.raises(NotFound) as unknown:
            await identity.long_lived.get(ben, wrong)
        assert unknown.value.message == f"There is no token {wrong!a} that you may see"
        with pytest.raises(NotFound):
            await identity.long_lived.revoke(ben, wrong)
        with pytest.raises(NotFound):
            await identity.long_lived.rename(ben, wrong, "y")
    assert await identity.long_lived.list(ben) == []
    assert [one.record for one in await identity.long_lived.list(ana)] == [record]


async def test_admins_and_auditors_see_all_and_auditors_change_none(identity: TestIdentity) -> None:
    ana = await principal(identity)
    record, token = await identity.long_lived.create(ana, WantedToken("personal", "x"))
    auditor, local = await principal(identity, "eve", role="auditor"), identity.authenticate.token(identity.admin)
    for who in (auditor, local):
        assert [one.record for one in await identity.long_lived.list(who, everybody=True)] == [record]
    with pytest.raises(NotAllowed):
        await identity.long_lived.list(ana, everybody=True)
    with pytest.raises(NotAllowed):
        await identity.long_lived.revoke(auditor, record.token_id)
    await identity.long_lived.revoke(local, record.token_id)
    await eventually(lambda: record.token_id not in identity.directory.tokens.entries, "the directory has seen it")
    with pytest.raises(TokenRevoked):
        identity.authenticate.token(token)


async def test_a_name_changes_and_nothing_else(identity: TestIdentity) -> None:
    ana = await principal(identity)
    record, _ = await identity.long_lived.create(ana, WantedToken("personal", "x"))
    assert await identity.long_lived.rename(ana, record.token_id, "y") == replace(record, name="y")


async def test_a_token_ends_with_its_time_and_with_its_person(
    identity: TestIdentity, bus: MemoryBus, clock: Any
) -> None:
    ana = await principal(identity)
    _, short = await identity.long_lived.create(ana, WantedToken("personal", "x", expires_in_s=60))
    _, long = await identity.long_lived.create(ana, WantedToken("personal", "y"))
    clock.now += 70
    with pytest.raises(NotAuthenticated):
        identity.authenticate.token(short)
    identity.authenticate.token(long)
    users = bus.bucket("ffx_users", UserRecord)
    entry = await users.get(ana.uid)
    assert entry is not None
    await users.update(ana.uid, replace(entry.value, disabled=True), entry.revision)
    await eventually(lambda: identity.directory.users.entries[ana.uid].value.disabled, "the directory has seen it")
    with pytest.raises(NotAuthenticated):
        identity.authenticate.token(long)


async def test_nobody_has_more_tokens_than_one_can_look_after(identity: TestIdentity) -> None:
    ana = await principal(identity)
    for number in range(MOST_TOKENS):
        await identity.long_lived.create(ana, WantedToken("personal", str(number)))
    with pytest.raises(NotAllowed, match="revoke one"):
        await identity.long_lived.create(ana, WantedToken("personal", "one more"))
    await identity.long_lived.remove_of(ana.uid)
    assert await identity.long_lived.list(ana) == []


async def test_the_gateway_lets_no_personal_token_by_that_says_what_is_no_more(
    identity: TestIdentity, bus: MemoryBus
) -> None:
    ana = await principal(identity)
    groups = bus.bucket("ffx_groups", GroupRecord)
    await groups.put("eng", GroupRecord("eng", (ana.uid,), (), "", 0.0, ""))
    await eventually(lambda: "eng" in identity.directory.groups.entries, "the directory has the group")
    record, token = await identity.long_lived.create(ana, WantedToken("personal", "x"))
    name = FunctionName("ana", "f")
    assert {ana.uid, record.token_id} <= identity.directory.access(name, "private", "uid").pids
    await groups.put("eng", GroupRecord("eng", (), (), "", 0.0, ""))
    await eventually(lambda: not identity.directory.groups.entries["eng"].value.members, "the directory has seen it")
    assert record.token_id not in identity.directory.access(name, "private", "uid").pids
    assert identity.authenticate.token(token).groups == frozenset()  # what the invoker tells the function
