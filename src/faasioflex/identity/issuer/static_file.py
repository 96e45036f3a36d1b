"""A file in Dex's own form: ``staticPasswords`` and ``staticClients``, so that a team can move to Dex and back."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from faasioflex.identity.issuer.clients import StaticClient
from faasioflex.identity.tokens.grants import FIRST_PARTY, Client
from faasioflex.model.errors import Invalid

HASHES = ("$2a$", "$2b$", "$2y$", "$argon2id$")


@dataclass(frozen=True)
class StaticPassword:
    email: str
    name: str
    subject: str
    password_hash: str


@dataclass(frozen=True)
class StaticLogin:
    passwords: tuple[StaticPassword, ...]
    clients: dict[str, StaticClient]


def read(path: Path) -> StaticLogin:
    """Raises: Invalid, naming the entry."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Invalid(f"The login file {path} cannot be read: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise Invalid(f"The login file {path} must hold staticPasswords and staticClients")
    passwords = tuple(_password(one, path) for one in _entries(found, "staticPasswords", path))
    clients = [_client(one, path) for one in _entries(found, "staticClients", path)]
    return StaticLogin(passwords, {one.client.client_id: one for one in clients})


def _entries(found: dict[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    listed = found.get(name) or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Invalid(f"{name} of the login file {path} must be a list")
    return listed


def _password(one: dict[str, Any], path: Path) -> StaticPassword:
    email, kept = str(one.get("email", "")), str(one.get("hash", ""))
    if not kept.startswith("$"):  # Dex takes base64 of the hash, too
        try:
            kept = base64.b64decode(kept, validate=True).decode()
        except ValueError:
            kept = ""
    if not email or not kept.startswith(HASHES) or not one.get("userID"):
        raise Invalid(f"staticPasswords of the login file {path}: {email or 'an entry'} needs email, hash and userID")
    return StaticPassword(email, str(one.get("username") or ""), str(one["userID"]), kept)


def _client(one: dict[str, Any], path: Path) -> StaticClient:
    client_id, secret = str(one.get("id", "")), one.get("secret")
    public = bool(one.get("public", False))
    if not client_id or client_id in FIRST_PARTY or public == bool(secret):
        raise Invalid(
            f"staticClients of the login file {path}: {client_id or 'an entry'} needs an id of its own and either a "
            "secret or public: true"
        )
    hashed = hashlib.sha256(str(secret).encode()).hexdigest() if secret else None
    redirects = tuple(str(uri) for uri in one.get("redirectURIs") or ())
    client = Client(client_id, str(one.get("name") or client_id), public=public, first_party=False)
    return StaticClient(client, redirects, hashed)
