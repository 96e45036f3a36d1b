"""ID tokens of a login: which hold, and what is read from them."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import KeySet, RSAKey

from faasioflex.identity.oidc.id_token import Expected, groups_in, identity_of, key_wanted
from faasioflex.identity.oidc.metadata import made
from faasioflex.model.errors import NotAuthenticated, TokenExpired, Unavailable
from support.forged_tokens import es256, hs256, jwk, our_key, parts, public_pem, rs256, strangers_key

NOW = 1_800_000_000.0
ISSUER = "https://sso.test/realm"
EXPECTED = Expected(ISSUER, frozenset({"ffx", "ffx-too"}))
HEADER = {"alg": "RS256", "kid": "k"}
CLAIMS = {"iss": ISSUER, "sub": "s-1", "aud": "ffx", "exp": NOW + 300, "iat": NOW, "email": "a@b.test", "name": "A"}


def keys() -> KeySet:
    return KeySet([RSAKey.import_key(jwk(our_key(), "k"))])


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return rs256(HEADER | (header or {}), said)


def test_what_it_says() -> None:
    found = identity_of(token(email_verified=True, groups=["b", "a", 7, ""]), keys(), EXPECTED, NOW)
    assert (found.issuer, found.subject, found.email, found.email_verified) == (ISSUER, "s-1", "a@b.test", True)
    assert (found.name, found.groups, found.audience) == ("A", ("a", "b"), "ffx")
    assert (found.issued_at, found.expires_at) == (NOW, NOW + 300)
    assert not identity_of(token(email_verified="yes"), keys(), EXPECTED, NOW).email_verified


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://sso.test"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["ffx", "another"]},  # and nobody says that it was for us
        {"aud": ["ffx", "another"], "azp": "another"},
        {"azp": "another"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "s" * 300},
        {"exp": None},
        {"iat": None},
        {"exp": "1900000000"},
        {"exp": True},
        {"exp": float("inf")},
        {"iat": NOW + 300},
        {"nbf": NOW + 300},
        {"nbf": "soon"},
    ],
)
def test_claims_that_do_not_hold(said: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        identity_of(token(**said), keys(), EXPECTED, NOW)


def test_several_audiences_hold_where_one_of_ours_asked() -> None:
    assert identity_of(token(aud=["other", "ffx-too"], azp="ffx"), keys(), EXPECTED, NOW).audience == "ffx-too"


def test_clocks_may_differ_a_little() -> None:
    assert identity_of(token(iat=NOW + 20), keys(), EXPECTED, NOW)
    assert identity_of(token(exp=NOW - 20), keys(), EXPECTED, NOW)
    with pytest.raises(TokenExpired):
        identity_of(token(exp=NOW - 31), keys(), EXPECTED, NOW)


@pytest.mark.parametrize(
    "forged",
    [
        parts({"alg": "none"}, CLAIMS) + ".",
        hs256(HEADER | {"alg": "HS256"}, CLAIMS, public_pem(our_key())),
        es256(HEADER | {"alg": "ES256"}, CLAIMS),
        rs256(HEADER, CLAIMS, strangers_key()),
        rs256(HEADER | {"jwk": jwk(strangers_key(), "k")}, CLAIMS, strangers_key()),
        rs256(HEADER | {"jku": "https://evil.test"}, CLAIMS),
        rs256(HEADER | {"crit": ["exp"]}, CLAIMS),
        rs256(HEADER | {"typ": "at+jwt"}, CLAIMS),
        rs256(HEADER | {"typ": 7}, CLAIMS),
        rs256(HEADER, ["a", "list"]),
        token()[:-6] + "AAAAAA",
        token() + "." + token(),
        token() + "é",
        "x" * 20_000,
        "",
    ],
)
def test_what_is_forged_is_refused(forged: str) -> None:
    with pytest.raises(NotAuthenticated):
        identity_of(forged, keys(), EXPECTED, NOW)


def test_the_key_is_asked_for_by_name_only_where_it_could_help() -> None:
    assert key_wanted(token()) == "k"
    for header in ({"alg": "none"}, {"kid": ["k"]}, {"jwk": {}}):
        with pytest.raises(NotAuthenticated):
            key_wanted(token(header))


def test_groups_by_a_path() -> None:
    assert groups_in({"realm_access": {"roles": ["b", "a"]}}, "realm_access.roles") == ("a", "b")
    assert groups_in({"https://x.test/groups": "one"}, "https://x.test/groups") == ("one",)
    for said in ({}, {"groups": {"a": 1}}, {"groups": 7}, {"groups": None}):
        assert groups_in(said, "groups") == ()


def test_only_public_keys_that_sign_are_taken() -> None:
    good = jwk(our_key(), "k")
    found = made(
        {}, {"keys": [good, good | {"use": "enc", "kid": "e"}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "?"}, 7]}
    )
    assert [key.kid for key in found.keys.keys] == ["k"]
    assert found.has("k")
    assert not found.has("e")
    for none in ({}, {"keys": []}, {"keys": "k"}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}):
        with pytest.raises(Unavailable):
            made({}, none)
