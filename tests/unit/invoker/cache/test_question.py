"""Which calls are the same to the cache. Whatever may change an answer makes another key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.identity.principal import Principal
from faasioflex.invoker.body import Body
from faasioflex.invoker.cache.question import Question, digest, question, secondary, unanswerable
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.http1.head import Headers
from faasioflex.invoker.target import Target
from faasioflex.model.function import CachePolicy, Visibility
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

HELLO = FunctionName("acme", "hello")
ALICE, BOB = (Caller(Principal("user", f"u-{name}", f"u-{name}", name)) for name in ("alice", "bob"))
POLICY = CachePolicy(60.0)


def call(
    path: str = "/x?a=1",
    method: str = "GET",
    *fields: tuple[str, str],
    caller: Caller = NOBODY,
    body: bytes | None = None,
    own: bool = True,
) -> Call:
    headers: Headers = [(name.encode(), value.encode()) for name, value in fields]
    return Call(
        Target(HELLO, path), method, headers, Body(None, whole=body), "id", caller=caller, keeps_authorization=own
    )


def ask(
    made: Call, policy: CachePolicy = POLICY, visibility: Visibility = "public", uid: str = "uid", revision: int = 1
) -> Question:
    route = FunctionRoute(uid, visibility, {1: 100}, cache=policy)
    return question(made, route, policy, revision)


def same(one: Call, other: Call, policy: CachePolicy = POLICY, visibility: Visibility = "public") -> bool:
    return ask(one, policy, visibility).primary == ask(other, policy, visibility).primary


def test_the_same_call_is_the_same_and_head_is_get() -> None:
    assert same(call(), call())
    assert same(call(), call(method="HEAD"))
    assert ask(call(method="HEAD")).head


@pytest.mark.parametrize(
    "other",
    [
        call("/y?a=1"),
        call("/x?a=2"),
        call("/x?a=1&b=2"),
        call("/x"),
        call("/x%3Fa=1"),
        call("/X?a=1"),
        call("/x/?a=1"),
    ],
)
def test_path_and_query_are_never_normalised(other: Call) -> None:
    assert not same(call(), other)


def test_what_the_policy_leaves_out_does_not_count() -> None:
    assert same(call("/x?a=1"), call("/x?utm=2"), CachePolicy(60.0, ("method", "path")))
    assert same(call("/x"), call("/y"), CachePolicy(60.0, ("method", "query")))


def test_named_headers_count_and_one_that_is_missing_is_not_an_empty_one() -> None:
    policy = CachePolicy(60.0, ("path", "header:x-lang"))
    assert not same(call("/x", "GET", ("X-Lang", "es")), call("/x", "GET", ("x-lang", "en")), policy)
    assert same(call("/x", "GET", ("X-Lang", "es")), call("/x", "GET", ("x-lang", "es"), ("x-other", "1")), policy)
    assert not same(call("/x", "GET", ("X-Lang", "")), call("/x"), policy)


def test_the_body_with_its_type() -> None:
    policy = CachePolicy(60.0, ("method", "path", "body"))
    made = [call("/x", "POST", ("Content-Type", kind), body=body) for kind in ("a", "b") for body in (b"1", b"2")]
    assert len({ask(each, policy).primary for each in made}) == 4
    assert not same(call("/x", body=None), call("/x", body=b"x"), policy)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Origin",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Original-URL",
        "X-HTTP-Method-Override",
    ],
)
def test_what_frameworks_look_at_is_part_of_every_key(name: str) -> None:
    assert not same(call("/x", "GET", (name, "evil.example")), call("/x"), CachePolicy(60.0, ("path",), shared=True))


def test_a_registration_a_revision_and_a_policy_have_their_own() -> None:
    made = {
        ask(call()).primary,
        ask(call(), uid="another").primary,
        ask(call(), revision=2).primary,
        ask(call(), visibility="authenticated").primary,
        ask(call(), CachePolicy(60.0, POLICY.key, shared=True)).primary,
        ask(call(), CachePolicy(60.0, ("path", "query"))).primary,
    }
    assert len(made) == 6
    assert ask(call(), CachePolicy(5.0)).primary == ask(call(), CachePolicy(60.0)).primary


def test_principals_are_kept_apart_unless_it_is_public_or_shared() -> None:
    one, other = (call(caller=who, own=False) for who in (ALICE, BOB))
    for visibility in ("private", "authenticated"):
        assert not same(one, other, visibility=visibility)  # type: ignore[arg-type]
        assert not ask(one, visibility=visibility).shared  # type: ignore[arg-type]
    assert same(one, other)
    assert ask(one).shared
    shared = CachePolicy(60.0, shared=True)
    assert same(one, other, shared, "private")


def test_another_function_of_the_callers_name_is_somebody_else() -> None:
    one, other = (
        Caller(Principal("function", "f-acme.a", "f-acme.a", "acme", function_uid=uid)) for uid in ("uid-1", "uid-2")
    )
    assert not same(call(caller=one), call(caller=other), visibility="private")


def test_who_changes_groups_is_not_given_the_answer_of_before() -> None:
    grown = Caller(replace(ALICE.principal, groups=frozenset({"staff"})))
    assert not same(call(caller=ALICE, own=False), call(caller=grown, own=False), visibility="private")


def test_an_authorization_or_a_cookie_of_the_functions_own_is_a_person_too() -> None:
    for name in ("Authorization", "Cookie"):
        one, other = call("/x", "GET", (name, "a")), call("/x", "GET", (name, "b"))
        assert not same(one, other)
        assert not same(one, call("/x"))
        assert not ask(one).shared
    shared = CachePolicy(60.0, shared=True)
    assert same(call("/x", "GET", ("Cookie", "a")), call("/x", "GET", ("Cookie", "b")), shared)
    assert not same(call("/x", "GET", ("Authorization", "a")), call("/x"), shared)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (call(), None),
        (call(method="HEAD"), None),
        (call(method="POST"), "method"),
        (call(method="DELETE"), "method"),
        (call("/x", "GET", ("Range", "bytes=0-1")), "bypass"),
        (call("/x", "GET", ("If-Match", '"a"')), "bypass"),
        (call("/x", "GET", ("If-None-Match", '"a"')), None),
        (call(body=b"a body that no key holds"), "bypass"),
        (replace(call(), upgrade=b"websocket"), "bypass"),
    ],
)
def test_calls_that_are_the_functions_alone(made: Call, why: str | None) -> None:
    assert unanswerable(made, POLICY) == why


@pytest.mark.parametrize(("method", "why"), [("POST", None), ("QUERY", None), ("PUT", "method"), ("DELETE", "method")])
def test_with_the_body_in_the_key_what_asks_by_a_body_may_be_answered(method: str, why: str | None) -> None:
    assert unanswerable(call(method=method, body=b"x"), CachePolicy(60.0, ("method", "path", "body"))) == why


def test_the_conditions_of_a_post_are_the_functions() -> None:
    policy = CachePolicy(60.0, ("method", "path", "body"))
    for name in ("If-None-Match", "If-Modified-Since"):
        assert unanswerable(call("/x", "POST", (name, "a"), body=b"x"), policy) == "bypass"
        assert unanswerable(call("/x", "QUERY", (name, "a"), body=b"x"), policy) is None


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_no_two_lists_have_the_same_digest(one: list[bytes], other: list[bytes]) -> None:
    assert (digest(one) == digest(other)) == (one == other)


def test_variants_by_what_the_function_sees() -> None:
    vary = (b"x-ffx-user",)
    one, other = (ask(call(caller=who, own=False)) for who in (ALICE, BOB))
    assert one.primary == other.primary
    assert secondary(one.primary, vary, one.fields) != secondary(other.primary, vary, other.fields)
