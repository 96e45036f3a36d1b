"""What tokens say: each kind verifies, and comes back as what it was made of."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from faasioflex.identity.tokens.mint import (
    ACCESS_S,
    ADMIN_FILE_S,
    FUNCTION_S,
    LONGEST_EMAIL,
    LONGEST_GROUPS,
    LONGEST_NAME,
    Mint,
    printable,
)
from faasioflex.identity.tokens.verifier import LONGEST_TOKEN, Verifier
from faasioflex.model.identity import TokenRecord, TokenScope, UserRecord
from faasioflex.model.names import FunctionName
from support.forged_tokens import unb64
from support.identity import ISSUER, throwaway_keys

NOW = 1_800_000_000.9


def user(email: str = "ana@example.test", name: str = "Ana") -> UserRecord:
    return UserRecord("u-1", "login", "ana", email, name, "ana", "developer", (), NOW, NOW)


def mint() -> Mint:
    return Mint(throwaway_keys(), ISSUER)


def verifier() -> Verifier:
    return Verifier(throwaway_keys(), lambda: frozenset({ISSUER}), clock=lambda: NOW)


def record(kind: str) -> TokenRecord:
    token_id = f"{'t' if kind == 'personal' else 's'}-1"
    return TokenRecord(token_id, kind, "ci", "u-1", "ana", TokenScope(), NOW, NOW + 5000)  # type: ignore[arg-type]


def test_each_kind_is_what_it_says() -> None:
    made = {
        "access": mint().access(user(), ["b", "a"], NOW),
        "personal": mint().personal(record("personal"), user(), [], NOW),
        "service": mint().service(record("service"), NOW),
        "function": mint().function(FunctionName("ana", "f"), "uid-1", NOW),
        "admin-file": mint().admin_file(NOW),
    }
    claims = {kind: verifier().verify(one.token) for kind, one in made.items()}
    assert {kind: one.kind for kind, one in claims.items()} == {kind: kind for kind in made}
    assert {kind: (one.subject, one.pid) for kind, one in claims.items()} == {
        "access": ("u-1", "u-1"),
        "personal": ("u-1", "t-1"),
        "service": ("s-1", "s-1"),
        "function": ("f-ana.f", "f-ana.f"),
        "admin-file": ("u-local", "u-local"),
    }
    assert {kind: one.expires_at - NOW for kind, one in claims.items()} == {
        kind: int(NOW + lives_s) - NOW
        for kind, lives_s in zip(made, (ACCESS_S, 5000, 5000, FUNCTION_S, ADMIN_FILE_S), strict=True)
    }
    assert claims["access"].groups == ("a", "b")
    assert claims["function"].function_uid == "uid-1"
    assert len({one.jti for one in claims.values()}) == len(made)


def test_times_are_whole_seconds_and_never_in_the_future() -> None:
    said = json.loads(unb64(mint().access(user(), [], NOW).token.split(".")[1]))
    assert (said["iat"], said["nbf"]) == (int(NOW), int(NOW))
    assert all(type(said[name]) is int for name in ("iat", "nbf", "exp"))


def test_a_token_for_another_audience_is_none_of_ours() -> None:
    said = json.loads(unb64(mint().access(user(), [], NOW, audience="shop").token.split(".")[1]))
    assert said["aud"] == "shop"


@given(
    email=st.text(max_size=300),
    name=st.text(max_size=300),
    groups=st.sets(st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True), max_size=200),
)
def test_whoever_it_is_the_token_fits_and_comes_back(email: str, name: str, groups: set[str]) -> None:
    token = mint().access(user(email, name), groups, NOW).token
    assert len(token) <= LONGEST_TOKEN
    claims = verifier().verify(token)
    assert (claims.email, claims.name) == (printable(email)[:LONGEST_EMAIL], printable(name)[:LONGEST_NAME])
    assert (claims.email + claims.name).isprintable()
    assert set(claims.groups) <= groups
    assert set(claims.groups) == groups or len(",".join(groups)) > LONGEST_GROUPS
    said = json.loads(unb64(token.split(".")[1]))
    assert said["ffx_groups"] == ",".join(claims.groups)
    assert len(said["ffx_groups"]) <= LONGEST_GROUPS


def test_somebody_in_very_many_groups_has_a_token_that_fits() -> None:
    groups = {f"group-{number}" for number in range(5000)}
    token = mint().access(user("\U0001f600" * 300, "\U0001f600" * 300), groups, NOW).token
    assert len(token) <= LONGEST_TOKEN
    assert 0 < len(verifier().verify(token).groups) < 5000
