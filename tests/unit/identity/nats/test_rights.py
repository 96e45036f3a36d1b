"""What a connection of a user may subscribe to."""

from __future__ import annotations

from typing import Any

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.port import Entry
from faasioflex.identity.directory import Directory
from faasioflex.identity.nats.rights import Functions, Rights, rights_of
from faasioflex.identity.principal import Principal
from faasioflex.model.identity import Grant, GrantsRecord, TokenScope
from support.records import function_record

MINE = frozenset({"admin"})


@pytest.fixture
async def directory() -> Directory:
    made = Directory(MemoryBus())
    made.grants.entries["b.granted"] = Entry("b.granted", GrantsRecord("uid-1", (Grant("user:u-1", ("read",)),)), 1)
    made.grants.entries["b.before"] = Entry("b.before", GrantsRecord("uid-0", (Grant("user:u-1", ("read",)),)), 1)
    return made


def functions() -> Functions:
    records = {
        "a.mine": function_record("a", "mine"),
        "b.granted": function_record("b", "granted"),
        "b.before": function_record("b", "before"),
        "b.hidden": function_record("b", "hidden"),
        "b.public": function_record("b", "public", visibility="public"),
        "b.signed": function_record("b", "signed", visibility="authenticated"),
    }
    return {key: Entry(key, record, 1) for key, record in records.items()}


def of(directory: Directory, principal: Principal) -> Rights:
    return rights_of(principal, directory, functions(), ["b.public", "b.signed"])


def person(**fields: Any) -> Principal:
    return Principal("user", "u-1", "u-1", "a", **{"role": "developer", "roles": {"a": MINE}, **fields})


def of_functions(subjects: tuple[str, ...]) -> set[str]:
    return {
        subject.removeprefix("ffx.event.function.*.")
        for subject in subjects
        if subject.startswith("ffx.event.function")
    }


async def test_a_person(directory: Directory) -> None:
    rights = of(directory, person())
    assert rights.publish == ("ffx.call.>", "ffx.queue.*.*"), (
        "not where our own messages lie: those have one token more"
    )
    assert rights.own[:2] == ("_INBOX_u-1", "_INBOX_u-1.>")
    assert of_functions(rights.own) == {"a.*", "b.granted"}
    assert of_functions(rights.open) == {"b.public", "b.signed"}
    assert not [
        each
        for each in (*rights.own, *rights.open)
        if each.startswith(("ffx.event.>", "ffx.event.*", "ffx.event.user"))
    ]


async def test_an_operator_hears_of_all_but_tokens_and_secrets(directory: Directory) -> None:
    own = of(directory, person(role="operator", roles={})).own
    assert {subject.split(".")[2] for subject in own if subject.startswith("ffx.event.")} == {
        "function",
        "instance",
        "invocation",
        "user",
        "group",
        "namespace",
        "binding",
        "grant",
        "alert",
    }


@pytest.mark.parametrize("role", ["admin", "auditor"])
async def test_who_reads_everywhere(directory: Directory, role: Any) -> None:
    assert "ffx.event.>" in of(directory, person(role=role)).own


@pytest.mark.parametrize(
    ("scope", "own", "open_"),
    [
        (TokenScope(functions=("a/mine",)), {"a.mine"}, {"b.public"}),
        (TokenScope(functions=("b/hidden",)), set(), {"b.public"}),
        (TokenScope(namespaces=("a",)), {"a.*"}, {"b.public"}),
        (TokenScope(namespaces=("c",)), set(), {"b.public"}),
    ],
)
async def test_a_scope_leaves_what_it_names(
    directory: Directory, scope: TokenScope, own: set[str], open_: set[str]
) -> None:
    rights = of(directory, person(scope=scope, role="developer"))
    assert of_functions(rights.own) == own
    assert of_functions(rights.open) == open_
    assert "ffx.event.>" not in of(directory, person(scope=scope, role="admin")).own


async def test_the_digest_is_of_what_is_there(directory: Directory) -> None:
    before = of(directory, person())
    assert of(directory, person()).own_digest == before.own_digest
    assert of(directory, person(roles={})).own_digest != before.own_digest
    assert of(directory, person(roles={})).open_digest == before.open_digest
