"""Tokens made by hand: any header, any payload, any key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from support.identity import ISSUER, throwaway_keys


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(header: Mapping[str, Any], payload: object) -> str:
    """What is signed. A header is written as the platform writes its own, so that nothing but ``header`` tells it from one."""
    first = {name: header[name] for name in ("typ", "alg", "kid") if name in header}
    return (
        b64(json.dumps({**first, **header}, separators=(",", ":")).encode()) + "." + b64(json.dumps(payload).encode())
    )


@cache
def our_kid() -> str:
    return throwaway_keys().signing_kid()


@cache
def our_key() -> rsa.RSAPrivateKey:
    key = throwaway_keys().public(our_kid())
    assert key is not None
    made = serialization.load_pem_private_key(key.as_pem(private=True), None)
    assert isinstance(made, rsa.RSAPrivateKey)
    return made


@cache
def strangers_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "kid": kid, "n": b64(n), "e": b64(numbers.e.to_bytes(3, "big")), "use": "sig", "alg": "RS256"}


def rs256(header: Mapping[str, Any], payload: object, key: rsa.RSAPrivateKey | None = None) -> str:
    """Signed with RSA and SHA-256, whatever the header says; with our key where none is given."""
    text = parts(header, payload)
    signature = (key or our_key()).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{b64(signature)}"


def rsa_with(header: Mapping[str, Any], payload: object, kind: str) -> str:
    """Our key, another algorithm: RS384, RS512 or PS256."""
    text = parts(header, payload)
    digest = {"RS384": hashes.SHA384(), "RS512": hashes.SHA512(), "PS256": hashes.SHA256()}[kind]
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if kind == "PS256" else padding.PKCS1v15()
    return f"{text}.{b64(our_key().sign(text.encode(), scheme, digest))}"


def hs256(header: Mapping[str, Any], payload: object, secret: bytes) -> str:
    text = parts(header, payload)
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def es256(header: Mapping[str, Any], payload: object) -> str:
    text = parts(header, payload)
    signature = ec.generate_private_key(ec.SECP256R1()).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{text}.{b64(signature)}"


def header(**changes: Any) -> dict[str, Any]:
    """Of a token that holds; a change to None leaves the field out."""
    made = {"alg": "RS256", "typ": "at+jwt", "kid": our_kid(), **changes}
    return {name: value for name, value in made.items() if value is not None}


def payload(now: float, **changes: Any) -> dict[str, Any]:
    """Of a token that holds for ``u-1`` at ``now``; a change to None leaves the claim out."""
    made = {
        "iss": ISSUER,
        "sub": "u-1",
        "aud": "faasioflex",
        "exp": int(now) + 900,
        "iat": int(now),
        "nbf": int(now),
        "jti": "j-1",
        "pid": "u-1",
        "kind": "access",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}
