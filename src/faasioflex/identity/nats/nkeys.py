"""NATS's form of Ed25519 keys (nkeys), and tokens signed with them: base32 with a prefix and CRC-16, ``ed25519-nkey`` JWTs."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ACCOUNT = 0  # "A"
SERVER = 13 << 3  # "N"
SEED = 18 << 3  # "S", with the kind of the key behind it
HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


class AccountKey:
    """An account's key: the callout signs with it. ``seed`` and ``public`` are texts as nats-server writes them."""

    def __init__(self, seed: str) -> None:
        raw = _decode(seed)
        first, second = SEED | ACCOUNT >> 5, (ACCOUNT & 31) << 3
        if len(raw) != 34 or raw[0] != first or raw[1] != second:
            raise ValueError("not the seed of an account's key")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[2:])
        self.seed = seed
        self.public = _encode(bytes([ACCOUNT]) + self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> AccountKey:
        raw = Ed25519PrivateKey.generate().private_bytes_raw()
        return cls(_encode(bytes([SEED | ACCOUNT >> 5, (ACCOUNT & 31) << 3]) + raw))

    def sign(self, claims: dict[str, Any], now: float) -> str:
        """A token of these claims; issuer, time and id are added."""
        whole = {**claims, "iss": self.public, "iat": int(now), "jti": secrets.token_hex(16)}
        signed = f"{_part(HEADER)}.{_part(whole)}"
        return f"{signed}.{_text(self._key.sign(signed.encode()))}"


def read(token: str, kind: int = SERVER) -> dict[str, Any]:
    """The claims of a token that its issuer, a key of ``kind``, has signed. Raises: ValueError."""
    header, payload, signature = token.split(".")
    claims = json.loads(_bytes(payload))
    if json.loads(_bytes(header)).get("alg") != HEADER["alg"]:
        raise ValueError("another algorithm")
    issuer = _decode(str(claims["iss"]))
    if issuer[0] != kind:
        raise ValueError("signed by another kind of key")
    try:
        Ed25519PublicKey.from_public_bytes(issuer[1:]).verify(_bytes(signature), f"{header}.{payload}".encode())
    except InvalidSignature:
        raise ValueError("the signature does not hold") from None
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw + _crc(raw)).decode().rstrip("=")


def _decode(text: str) -> bytes:
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    if len(raw) < 4 or _crc(raw[:-2]) != raw[-2:]:
        raise ValueError("not a key: its checksum is another")
    return raw[:-2]


def _crc(raw: bytes) -> bytes:
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")


def _part(document: dict[str, Any]) -> str:
    return _text(json.dumps(document, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
