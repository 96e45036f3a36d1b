"""NATS's keys and the tokens signed with them."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from faasioflex.identity.badge import Badge
from faasioflex.identity.nats.nkeys import ACCOUNT, SERVER, AccountKey, _encode, read


def test_a_key_comes_back_from_its_seed() -> None:
    key = AccountKey.generate()
    assert AccountKey(key.seed).public == key.public
    assert (key.seed[:2], key.public[:1], len(key.public)) == ("SA", "A", 56)
    assert AccountKey.generate().public != key.public


@pytest.mark.parametrize(
    "spoil", [lambda s: s[:20] + ("A" if s[20] != "A" else "B") + s[21:], lambda s: "SU" + s[2:], lambda s: ""]
)
def test_what_is_no_seed_is_refused(spoil: object) -> None:
    with pytest.raises(ValueError, match=r"key|seed|padding"):
        AccountKey(spoil(AccountKey.generate().seed))  # type: ignore[operator]


def test_a_token_is_read_with_the_key_that_it_names() -> None:
    key = AccountKey.generate()
    claims = read(key.sign({"sub": "x", "nats": {"a": 1}}, 1000.0), ACCOUNT)
    assert (claims["sub"], claims["iss"], claims["iat"], claims["nats"]) == ("x", key.public, 1000, {"a": 1})


def test_altered_tokens_and_other_keys_are_refused() -> None:
    key = AccountKey.generate()
    header, payload, signature = key.sign({"sub": "x"}, 1000.0).split(".")
    other = base64.urlsafe_b64encode(json.dumps({"sub": "y", "iss": key.public}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(json.dumps({"typ": "JWT", "alg": "none"}).encode()).decode().rstrip("=")
    for token in (
        f"{header}.{other}.{signature}",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.",
        "a.b.c",
        "",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
            read(token, ACCOUNT)
    with pytest.raises(ValueError, match="another kind of key"):
        read(f"{header}.{payload}.{signature}", SERVER)


def test_a_servers_request_is_read() -> None:
    private = Ed25519PrivateKey.generate()
    public = _encode(bytes([SERVER]) + private.public_key().public_bytes_raw())
    assert public.startswith("N")
    parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, {"iss": public, "sub": "A"}]
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = base64.urlsafe_b64encode(private.sign(signed.encode())).decode().rstrip("=")
    assert read(f"{signed}.{signature}")["sub"] == "A"


@pytest.mark.parametrize(
    "badge", [Badge("u-1", "u-1", "j", 1.5, "", "a.b"), Badge("f-a.b", "f-a.b", "", 0.0, "uid", "")]
)
def test_a_badge_comes_back_from_its_text(badge: Badge) -> None:
    assert Badge.parse(badge.text) == badge


@pytest.mark.parametrize(
    "text", ["", "platform", "u-1", "u-1 u-1 j 1", "u-1 u-1 j x - -", "- - - 1 - -", "a b c 1 d e f"]
)
def test_what_is_no_badge_is_nobody(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Badge.parse(text)
