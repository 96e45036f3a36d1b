"""Which tokens hold. Each that does not is refused for one reason alone: all else about it is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.identity.claims import Claims
from faasioflex.identity.tokens.verifier import LEEWAY_S, LONGEST_TOKEN, Verifier
from faasioflex.model.errors import NotAuthenticated, TokenExpired
from support.forged_tokens import (
    b64,
    es256,
    header,
    hs256,
    jwk,
    our_key,
    our_kid,
    parts,
    payload,
    public_pem,
    rs256,
    rsa_with,
    strangers_key,
    unb64,
)
from support.identity import ISSUER, throwaway_keys

NOW = 1_800_000_000.5


def verifier(now: Callable[[], float] = lambda: NOW, issuers: frozenset[str] = frozenset({ISSUER})) -> Verifier:
    return Verifier(throwaway_keys(), lambda: issuers, clock=now)


def test_a_good_one_holds() -> None:
    token = rs256(header(), payload(NOW, email="a@b", groups=["x", "y"], function_uid="f"))
    claims = verifier().verify(token)
    assert claims == Claims(
        "platform",
        ISSUER,
        "u-1",
        "u-1",
        "j-1",
        int(NOW),
        int(NOW) + 900,
        email="a@b",
        groups=("x", "y"),
        function_uid="f",
    )


HEADERS: dict[str, dict[str, Any]] = {
    "an ID token": {"typ": "JWT"},
    "no type": {"typ": None},
    "the type in capitals": {"typ": "AT+JWT"},
    "the type with its tree": {"typ": "application/at+jwt"},
    "no key": {"kid": None},
    "an unknown key": {"kid": "unknown"},
    "a key from a path": {"kid": "../../../etc/passwd"},
    "a key with a NUL": {"kid": "1.pem\0"},
    "a key's file": {"kid": "1"},
    "a key that is a query": {"kid": "' OR 1=1 --"},
    "a key that is a number": {"kid": 1},
    "a key that is a list": {"kid": ["1"]},
    "a key that is very long": {"kid": "k" * 4096},
    "jku": {"jku": "https://evil.example/jwks"},
    "x5u": {"x5u": "https://evil.example/cert"},
    "x5c": {"x5c": ["MIIB"]},
    "x5t": {"x5t": "abc"},
    "crit": {"crit": ["exp"]},
    "b64": {"b64": False, "crit": ["b64"]},
    "zip": {"zip": "DEF"},
    "cty": {"cty": "JWT"},
    "an unknown field": {"x": 1},
    "no algorithm": {"alg": None},
    "the algorithm none": {"alg": "none"},
    "the algorithm RS512 by name": {"alg": "RS512"},
    "the algorithm as a list": {"alg": ["RS256"]},
    "the algorithm in small letters": {"alg": "rs256"},
}


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        verifier().verify(rs256(header(**changes), payload(NOW)))


CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "http://evil.example/oidc"},
    "the issuer with a slash": {"iss": ISSUER + "/"},
    "no issuer": {"iss": None},
    "an issuer in a list": {"iss": [ISSUER]},
    "another audience": {"aud": "somebody-else"},
    "the audience in a list": {"aud": ["faasioflex"]},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 1},
    "no pid": {"pid": None},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "no kind": {"kind": None},
    "an unknown kind": {"kind": "root"},
    "no exp": {"exp": None},
    "exp as a text": {"exp": str(int(NOW) + 900)},
    "exp as truth": {"exp": True},
    "no iat": {"iat": None},
    "no nbf": {"nbf": None},
    "groups as a text": {"groups": "admins"},
    "groups with a number": {"groups": [1]},
    "email as a list": {"email": ["a@b"]},
    "not valid yet": {"nbf": NOW + LEEWAY_S + 1},
    "issued in the future": {"iat": NOW + LEEWAY_S + 1},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_claim_that_is_missing_or_wrong_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        verifier().verify(rs256(header(), payload(NOW, **changes)))


def _embedded() -> str:
    key = strangers_key()
    return rs256(header(jwk=jwk(key, our_kid())), payload(NOW), key)


FORGED: dict[str, Callable[[], str]] = {
    "a stranger's key under our name": lambda: rs256(header(), payload(NOW), strangers_key()),
    "a stranger's key that comes along": _embedded,
    "none without a signature": lambda: parts(header(alg="none"), payload(NOW)) + ".",
    "None without a signature": lambda: parts(header(alg="None"), payload(NOW)) + ".",
    "RS256 without a signature": lambda: parts(header(), payload(NOW)) + ".",
    "HS256 with our public key": lambda: hs256(header(alg="HS256"), payload(NOW), public_pem(our_key())),
    "HS256 that calls itself RS256": lambda: hs256(header(), payload(NOW), public_pem(our_key())),
    "HS256 with our public key as JWK": lambda: hs256(
        header(alg="HS256"), payload(NOW), json.dumps(jwk(our_key(), our_kid())).encode()
    ),
    "HS256 with an empty secret": lambda: hs256(header(alg="HS256"), payload(NOW), b""),
    "ES256": lambda: es256(header(alg="ES256"), payload(NOW)),
    "RS384 with our key": lambda: rsa_with(header(alg="RS384"), payload(NOW), "RS384"),
    "RS512 with our key": lambda: rsa_with(header(alg="RS512"), payload(NOW), "RS512"),
    "PS256 with our key": lambda: rsa_with(header(alg="PS256"), payload(NOW), "PS256"),
    "RS512 that calls itself RS256": lambda: rsa_with(header(), payload(NOW), "RS512"),
    "a payload that is a list": lambda: rs256(header(), [payload(NOW)]),
    "a payload that is a text": lambda: rs256(header(), "payload"),
    "a payload that is null": lambda: rs256(header(), None),
    "another payload under the signature": lambda: (
        parts(header(), payload(NOW, sub="u-2")) + "." + rs256(header(), payload(NOW)).split(".")[2]
    ),
    "two parts": lambda: rs256(header(), payload(NOW)).rpartition(".")[0],
    "four parts": lambda: rs256(header(), payload(NOW)) + ".x",
    "five parts": lambda: rs256(header(), payload(NOW)) + ".x.y",
    "nothing": lambda: "",
    "dots": lambda: "..",
    "no ASCII": lambda: "ä" + rs256(header(), payload(NOW)),
    "a half surrogate": lambda: "\ud800" + rs256(header(), payload(NOW)),
    "a line break inside": lambda: rs256(header(), payload(NOW)).replace(".", "\n.", 1),
    "a NUL at the end": lambda: rs256(header(), payload(NOW)) + "\0",
    "deep JSON": lambda: b64(b"[" * 5000) + "." + b64(b"{}") + ".x",
    "deep JSON in the payload": lambda: b64(json.dumps(header()).encode()) + "." + b64(b"[" * 5000) + ".x",
    "too long": lambda: rs256(header(), payload(NOW, padding="x" * LONGEST_TOKEN)),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_forged_one_is_refused(forged: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        verifier().verify(forged())
    assert rs256(header(), payload(NOW)).split(".")[1] not in refused.value.message


@pytest.mark.parametrize(("after_s", "holds"), [(0, True), (899, True), (900 + LEEWAY_S, False), (10_000, False)])
def test_it_ends(after_s: float, holds: bool) -> None:
    at = int(NOW)
    clock = [float(at)]
    held = verifier(lambda: clock[0])
    token = rs256(header(), payload(at))
    held.verify(token)
    clock[0] += after_s
    for one in (held, verifier(lambda: clock[0])):  # from memory, and for the first time
        if holds:
            assert one.verify(token).subject == "u-1"
        else:
            with pytest.raises(TokenExpired):
                one.verify(token)


def test_clocks_may_differ_a_little() -> None:
    for changes in ({"nbf": NOW + LEEWAY_S - 1}, {"iat": NOW + LEEWAY_S - 1}, {"exp": NOW - LEEWAY_S + 1}):
        assert verifier().verify(rs256(header(), payload(NOW, **changes))).jti == "j-1"


def test_an_issuer_from_before_holds_until_it_is_forgotten() -> None:
    issuers = {ISSUER, "http://127.0.0.1:8081/oidc"}
    held = Verifier(throwaway_keys(), lambda: frozenset(issuers), clock=lambda: NOW)
    token = rs256(header(), payload(NOW, iss="http://127.0.0.1:8081/oidc"))
    assert held.verify(token).issuer == "http://127.0.0.1:8081/oidc"
    issuers.discard("http://127.0.0.1:8081/oidc")
    with pytest.raises(NotAuthenticated, match="issuer"):
        held.verify(token)


def test_a_logins_own_token_is_the_logins_matter() -> None:
    asked: list[tuple[str, str]] = []

    def foreign(token: str, issuer: str) -> Claims | None:
        asked.append((token, issuer))
        return Claims("login", issuer, "sub", "sub", "", NOW, NOW + 60) if issuer == "http://dex" else None

    held = Verifier(throwaway_keys(), lambda: frozenset({ISSUER}), foreign=foreign, clock=lambda: NOW)
    token = rs256({"alg": "RS256", "kid": "dex"}, {"iss": "http://dex"})
    assert held.verify(token).source == "login"
    assert held.verify(token).source == "login"
    assert asked == [(token, "http://dex")]
    with pytest.raises(NotAuthenticated):
        held.verify(rs256({"alg": "RS256", "kid": "dex"}, {"iss": "http://other"}))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: f"{b64(data)}.{b64(data)}.{b64(data)}"))
def test_nothing_but_a_refusal_comes_of_noise(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        verifier().verify(text)


GOOD = rs256(header(), payload(NOW))


@settings(max_examples=300)
@given(place=st.integers(0, len(GOOD) - 1), other=st.characters(codec="ascii"))
def test_no_character_can_be_changed(place: int, other: str) -> None:
    """Where it holds all the same, it says the same: base64 writes some bytes in more ways than one."""
    changed = GOOD[:place] + other + GOOD[place + 1 :]
    try:
        claims = verifier().verify(changed)
    except NotAuthenticated:
        return
    assert claims == verifier().verify(GOOD)
    assert [unb64(one) for one in changed.split(".")] == [unb64(one) for one in GOOD.split(".")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "pid", "kind", "groups", "email", "name"])


@settings(max_examples=150)
@given(st.dictionaries(NAMES, JSON, min_size=1, max_size=3))
def test_what_holds_has_claims_of_their_types(changes: dict[str, Any]) -> None:
    said = {**payload(NOW), **changes}
    try:
        claims = verifier().verify(rs256(header(), said))
    except NotAuthenticated:
        return
    assert (claims.issuer, claims.subject, claims.pid, claims.jti) == (
        said["iss"],
        said["sub"],
        said["pid"],
        said["jti"],
    )
    assert claims.expires_at > NOW - LEEWAY_S
    assert claims.issued_at <= NOW + LEEWAY_S
    assert said["nbf"] <= NOW + LEEWAY_S
    assert all(isinstance(group, str) for group in claims.groups)
