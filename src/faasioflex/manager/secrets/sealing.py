"""AES-256-GCM: what is sealed opens only with the same key and for what it was sealed about. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class SealBroken(Exception):
    """Another key, another place, or altered."""


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def seal(key: bytes, content: bytes, about: bytes) -> tuple[bytes, bytes]:
    """A fresh nonce and the ciphertext. ``about`` is bound to it: nothing opens it as something else."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce, AESGCM(key).encrypt(nonce, content, about)


def unseal(key: bytes, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
    """Raises: SealBroken."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, about)
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error


def about_secret(namespace: str, name: str, version: int, key_id: str) -> bytes:
    """What a value is bound to; names hold no line break."""
    return f"ffx secret\n{namespace}\n{name}\n{version}\n{key_id}".encode()


def about_key(namespace: str, key_id: str, master_id: str) -> bytes:
    return f"ffx namespace key\n{namespace}\n{key_id}\n{master_id}".encode()


def id_of(key: bytes) -> str:
    """Tells keys apart and nothing of them."""
    return "m-" + hashlib.sha256(b"ffx master key\n" + key).hexdigest()[:16]


def to_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def from_text(text: str) -> bytes:
    """Raises: SealBroken for what is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealBroken from error
