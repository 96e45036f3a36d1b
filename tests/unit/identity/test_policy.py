"""The policy, cell by cell, and what holds for whoever and whatever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.identity.policy import KINDS, OF_NAMESPACE, VERBS, Kind, Resource, Verb, allowed, permitted
from faasioflex.identity.principal import ANONYMOUS, Principal
from faasioflex.model.function import Visibility
from faasioflex.model.identity import GRANT_VERBS, ROLES, Grant, GrantVerb, Role, TokenScope

NOTHING: set[str] = set()
ALL = set(VERBS)
READ = {"see", "read"}
WORK = {"see", "read", "observe", "invoke", "operate", "deploy"}
CALL = {"see", "invoke"}
VISIBILITIES: tuple[Visibility, ...] = ("private", "authenticated", "public")

# role everywhere -> kind -> verbs, on what is another's
EVERYWHERE: dict[Role, dict[Kind, set[str]]] = {
    "admin": {kind: ALL for kind in KINDS},
    "operator": {
        "function": READ | {"operate"},
        "namespace": READ,
        "secret": NOTHING,
        "quota": READ | {"operate"},
        "user": READ,
        "group": READ,
        "token": NOTHING,
        "platform": READ | {"operate"},
    },
    "developer": {kind: NOTHING for kind in KINDS},
    "invoker": {kind: NOTHING for kind in KINDS},
    "auditor": {**{kind: READ for kind in KINDS}, "function": READ | {"observe"}},
}
# role by a binding in the namespace -> kind -> verbs there
BOUND: dict[Role, dict[Kind, set[str]]] = {
    "admin": {"function": ALL, "namespace": ALL, "secret": ALL, "quota": ALL - {"operate", "admin"}},
    "operator": {"function": READ | {"operate"}, "namespace": READ, "secret": NOTHING, "quota": READ},
    "developer": {"function": WORK, "namespace": READ, "secret": READ | {"deploy"}, "quota": READ},
    "invoker": {"function": CALL, "namespace": {"see"}, "secret": NOTHING, "quota": NOTHING},
    "auditor": {"function": READ | {"observe"}, "namespace": READ, "secret": READ, "quota": READ},
}
GRANTED: dict[GrantVerb, set[str]] = {"invoke": CALL, "read": READ | {"observe"}, "deploy": WORK, "admin": ALL}


def person(role: Role = "developer", **fields: object) -> Principal:
    made = Principal("user", "u-bob", "u-bob", "bob", role=role)
    return replace(made, **fields)  # type: ignore[arg-type]


def of(kind: Kind) -> Resource:
    return Resource(
        kind, "team" if kind in OF_NAMESPACE else None, "thing", owner="u-alice" if kind == "token" else None
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_gives_everywhere(role: Role, kind: Kind) -> None:
    assert permitted(person(role), of(kind)) == EVERYWHERE[role][kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ROLES)
def test_what_a_binding_gives_in_its_namespace_and_nowhere_else(role: Role, kind: Kind) -> None:
    bound = person(roles={"team": frozenset({role})})
    assert permitted(bound, of(kind)) == BOUND[role].get(kind, NOTHING)
    assert permitted(bound, replace(of(kind), namespace="other")) == NOTHING


@pytest.mark.parametrize("verb", GRANT_VERBS)
@pytest.mark.parametrize(
    ("to", "who"),
    [
        ("user:u-bob", person()),
        ("group:friends", person(groups=frozenset({"friends"}))),
        ("service:s-1", Principal("service", "s-1", "s-1", "other", scope=TokenScope(namespaces=("other",)))),
        ("function:other/f", Principal("function", "f-other.f", "f-other.f", "other")),
    ],
)
def test_what_a_grant_gives_on_its_function(verb: GrantVerb, to: str, who: Principal) -> None:
    function = replace(of("function"), grants=(Grant(to, (verb,)),))
    assert permitted(who, function) == GRANTED[verb]
    assert permitted(who, of("function")) == NOTHING
    assert permitted(ANONYMOUS, function) == NOTHING
    assert permitted(replace(who, pid="x", uid="x", groups=frozenset()), function) == NOTHING


@pytest.mark.parametrize(
    ("visibility", "anonymous", "signed_in"),
    [("private", NOTHING, NOTHING), ("authenticated", NOTHING, CALL), ("public", CALL, CALL)],
)
def test_what_visibility_gives(visibility: Visibility, anonymous: set[str], signed_in: set[str]) -> None:
    function = replace(of("function"), visibility=visibility)
    assert permitted(ANONYMOUS, function) == anonymous
    assert permitted(person(), function) == signed_in
    assert permitted(Principal("function", "f-a.b", "f-a.b", "a"), function) == signed_in


def test_people_read_themselves_and_rule_over_their_tokens() -> None:
    assert permitted(person(), Resource("user", owner="u-bob")) == READ
    assert permitted(person(), Resource("token", owner="u-bob")) == READ | {"admin"}


def test_a_namespaces_admin_sets_no_bounds_for_it_and_is_none_of_people() -> None:
    owner = person(roles={"team": frozenset({"admin"})})
    for verb in ("operate", "admin"):
        assert not allowed(owner, verb, of("quota"))  # type: ignore[arg-type]
    for kind in set(KINDS) - OF_NAMESPACE:
        assert permitted(owner, of(kind)) == NOTHING


# properties

roles = st.sampled_from(ROLES)
spaces = st.sampled_from(("team", "other", "bob"))
names = st.sampled_from(("thing", "f"))
subsets = st.lists(st.sampled_from(GRANT_VERBS), min_size=1, unique=True).map(tuple)
scopes = st.builds(
    TokenScope,
    namespaces=st.none() | st.lists(spaces, max_size=2, unique=True).map(tuple),
    functions=st.none() | st.lists(st.sampled_from(("team/thing", "other/f")), max_size=2, unique=True).map(tuple),
    verbs=st.none() | subsets,
)
people = st.builds(
    person,
    roles,
    groups=st.frozensets(st.sampled_from(("friends", "foes"))),
    roles=st.dictionaries(spaces, st.frozensets(roles, min_size=1)),
)
grants = st.lists(
    st.builds(Grant, st.sampled_from(("user:u-bob", "group:friends", "user:u-eve", "service:s-1")), subsets), max_size=3
).map(tuple)
functions = st.builds(Resource, st.just("function"), spaces, names, st.sampled_from(VISIBILITIES), grants)
things = functions | st.builds(
    Resource, st.sampled_from([kind for kind in KINDS if kind != "function"]), spaces, st.none() | names
)


@given(people, scopes, things)
def test_a_scope_gives_nothing_that_its_owner_may_not(who: Principal, scope: TokenScope, what: Resource) -> None:
    assert permitted(replace(who, scope=scope), what) <= permitted(who, what)


@given(people, functions, grants)
def test_more_grants_take_nothing_away(who: Principal, what: Resource, more: tuple[Grant, ...]) -> None:
    assert permitted(who, what) <= permitted(who, replace(what, grants=what.grants + more))


@given(people, functions)
def test_what_anybody_may_everybody_may(who: Principal, what: Resource) -> None:
    assert permitted(ANONYMOUS, what) <= permitted(who, what)


@given(people, things)
def test_who_may_do_something_may_see_it(who: Principal, what: Resource) -> None:
    found = permitted(who, what)
    assert not found or "see" in found


@given(things)
def test_the_anonymous_may_call_what_is_public_and_nothing_else(what: Resource) -> None:
    open_to_all = what.kind == "function" and what.visibility == "public"
    assert permitted(ANONYMOUS, what) == (CALL if open_to_all else NOTHING)


@given(people, things, st.sampled_from(VERBS))
def test_auditors_without_other_rights_change_nothing(who: Principal, what: Resource, verb: Verb) -> None:
    auditor = replace(who, role="auditor", roles={}, groups=frozenset(), uid="u-none", pid="u-none")
    if verb in ("operate", "deploy", "admin"):
        assert not allowed(auditor, verb, what)


@given(scopes, things)
def test_a_service_outside_its_scope_has_what_it_was_granted_and_what_is_open(
    scope: TokenScope, what: Resource
) -> None:
    service = Principal("service", "s-1", "s-1", "team", scope=scope)
    reached = (scope.namespaces is not None and what.namespace in scope.namespaces and what.kind in OF_NAMESPACE) or (
        what.kind == "function" and scope.functions is not None and what.function in scope.functions
    )
    granted = any(grant.to == "service:s-1" for grant in what.grants)
    if not reached and not granted:
        assert permitted(service, what) <= CALL
        assert what.visibility != "private" or permitted(service, what) == NOTHING
