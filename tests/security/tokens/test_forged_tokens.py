"""Every way to forge a token, at every door: the API, a function with an instance, one without, NATS. Each is one step from a
token that holds, so that what refuses it is the check of that step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from support.forged_tokens import b64, es256, hs256, jwk, parts, public_pem, rs256, strangers_key, unb64

from .conftest import IDLE, LIVE, Target

pytestmark = pytest.mark.slow
DOORS = ("/whoami", "/functions", LIVE, IDLE)


def payload_changed(target: Target) -> str:
    """Of somebody's true token."""
    head, _, signature = target.signed().split(".")
    return f"{head}.{b64(json.dumps(target.claims(jti='other')).encode())}.{signature}"


def signature_changed(target: Target) -> str:
    text, _, signature = target.signed().rpartition(".")
    raw = bytearray(unb64(signature))
    raw[10] ^= 1
    return f"{text}.{b64(bytes(raw))}"


def nested(target: Target) -> str:
    """A whole token as the payload of another."""
    return rs256(target.header(cty="JWT"), target.signed(), target.key)


def encrypted(target: Target) -> str:
    key = OctKey.generate_key(256)
    return str(jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, target.signed().encode(), key))


def with_header(**changes: Any) -> Callable[[Target], str]:
    return lambda target: target.signed(target.header(**changes))


def with_claims(**changes: Any) -> Callable[[Target], str]:
    return lambda target: target.signed(**changes)


def strangers(**changes: Any) -> Callable[[Target], str]:
    return lambda target: rs256(target.header(**changes), target.claims(), strangers_key())


def none_of(alg: str) -> Callable[[Target], str]:
    return lambda target: parts(target.header(alg=alg), target.claims()) + "."


def id_token(target: Target) -> str:
    return target.signed(target.header(typ="JWT"), aud="ffx-cli")


STRANGERS_JWK = jwk(strangers_key(), "mine")
ATTACKS: dict[str, Callable[[Target], str]] = {
    "alg none": none_of("none"),
    "alg None": none_of("None"),
    "alg nOnE": none_of("nOnE"),
    "alg empty": none_of(""),
    "no alg": with_header(alg=None),
    "alg none with a signature": lambda t: rs256(t.header(alg="none"), t.claims(), t.key),
    "HS256 with the public key in PEM": lambda t: hs256(t.header(alg="HS256"), t.claims(), public_pem(t.key)),
    "HS256 with the key's modulus": lambda t: hs256(t.header(alg="HS256"), t.claims(), unb64(jwk(t.key, "x")["n"])),
    "HS256 with an empty secret": lambda t: hs256(t.header(alg="HS256"), t.claims(), b""),
    "ES256": lambda t: es256(t.header(alg="ES256"), t.claims()),
    "another algorithm named": with_header(alg="RS512"),
    "embedded jwk": strangers(jwk=STRANGERS_JWK),
    "embedded jwk, no kid": strangers(jwk=STRANGERS_JWK, kid=None),
    "jku": strangers(jku="http://127.0.0.1:9/keys", kid="mine"),
    "x5u": strangers(x5u="http://127.0.0.1:9/cert", kid="mine"),
    "x5c": strangers(x5c=["MIIB"], kid="mine"),
    "wrong key": strangers(),
    "kid of nobody": strangers(kid="mine"),
    "kid that walks": with_header(kid="../../../../dev/null"),
    "kid of a file": with_header(kid="1.pem"),
    "kid with SQL": with_header(kid="' OR 1=1 --"),
    "kid with a NUL": with_header(kid="a\0b"),
    "kid a list": with_header(kid=["a"]),
    "no kid": with_header(kid=None),
    "no typ": with_header(typ=None),
    "typ JWT": with_header(typ="JWT"),
    "typ of a logout": with_header(typ="logout+jwt"),
    "crit": with_header(crit=["exp"]),
    "crit b64": with_header(crit=["b64"], b64=False),
    "compressed": with_header(zip="DEF"),
    "expired": with_claims(exp=1_700_000_000),
    "expires never": with_claims(exp=None),
    "expiry a text": with_claims(exp="9999999999"),
    "not yet valid": with_claims(nbf=9_999_999_999),
    "issued in the future": with_claims(iat=9_999_999_999),
    "another issuer": with_claims(iss="http://127.0.0.1:9/oidc"),
    "issuer with a slash": lambda t: t.signed(iss=t.issuer + "/"),
    "no issuer": with_claims(iss=None),
    "another audience": with_claims(aud="somebody"),
    "audience in a list": with_claims(aud=["somebody"]),
    "no audience": with_claims(aud=None),
    "ID token": id_token,
    "token of another client": with_claims(aud="ffx-cli"),
    "no subject": with_claims(sub=None),
    "no pid": with_claims(pid=None),
    "no jti": with_claims(jti=None),
    "no iat": with_claims(iat=None),
    "kind unknown": with_claims(kind="root"),
    "subject unknown": with_claims(sub="u-000000000000000000000000", pid="u-000000000000000000000000", kind="access"),
    "payload altered": payload_changed,
    "signature altered": signature_changed,
    "signature gone": lambda t: t.signed().rpartition(".")[0] + ".",
    "signature cut off": lambda t: t.signed().rpartition(".")[0],
    "signature twice": lambda t: t.signed() + "." + t.signed().rpartition(".")[2],
    "payload a list": lambda t: rs256(t.header(), ["admin"], t.key),
    "payload null": lambda t: rs256(t.header(), None, t.key),
    "nested": nested,
    "encrypted": encrypted,
    "oversized": with_claims(name="x" * 9000),
    "many dots": lambda _: "." * 3000,
    "two dots": lambda _: "..",
    "words": lambda _: "admin",
    "not ASCII": lambda t: t.signed()[:-1] + "é",
    "padding": lambda t: t.signed() + "==",
    "a blank inside": lambda t: t.signed().replace(".", ". ", 1),
}
# Signed with the platform's own key for its own audience, otherwise as the platform makes them, and odd all the same: nobody but
# the platform could make these. The gateway lets them pass on the direct path: Envoy compares no claim with the time but exp and
# nbf (which the platform sets to iat), and counts no length. Nothing follows from either there.
ONLY_OURS_TO_MAKE = frozenset({"issued in the future", "oversized"})


def test_what_is_forged_wholly_right_is_let_in(target: Target) -> None:
    """Else the tests below would show nothing."""
    for path in DOORS[:3]:
        answer = target.ask(path, f"Bearer {target.signed()}")
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_opens_no_door(target: Target, attack: str) -> None:
    token = ATTACKS[attack](target)
    for path in (path for path in DOORS if path != LIVE or attack not in ONLY_OURS_TO_MAKE):
        answer = target.ask(path, f"Bearer {token}")
        assert answer.status_code in {400, 401, 431}, (path, answer.status_code, answer.text)
        assert "let in" not in answer.text
        assert token not in answer.text or len(token) < 10
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
    assert not await target.nats_lets_in(token)


def test_two_authorization_headers_are_none(target: Target) -> None:
    good, bad = f"Bearer {target.signed()}", f"Bearer {ATTACKS['wrong key'](target)}"
    for given in ((good, good), (good, bad), (bad, good), (f"{good}, {good}",)):
        for path in DOORS:
            answer = target.ask(path, *given)
            assert answer.status_code in {400, 401}, (path, answer.text)


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "bearer", "jwt"])
def test_a_token_in_the_query_or_a_cookie_is_none(target: Target, name: str) -> None:
    token = target.signed()
    for path in DOORS:
        assert target.ask(path, query=f"?{name}={token}").status_code in {401, 422}  # or what parameters there are
    for path in DOORS:
        answer = httpx.get(target.platform.url + path, cookies={name: token}, trust_env=False)
        assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "DPoP", ""])
def test_a_token_under_another_scheme_is_none(target: Target, scheme: str) -> None:
    for path in DOORS:
        assert target.ask(path, f"{scheme} {target.signed()}".strip()).status_code == 401


def test_no_attack_has_started_the_idle_function(target: Target) -> None:
    """After all of the above: whoever may not call does not make the platform work."""
    assert target.instances("idle") == 0
