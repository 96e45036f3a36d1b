"""What an issuer says of itself, got over HTTP: its discovery document and its keys; and the copy of both on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key

from faasioflex.model.errors import Unavailable

LONGEST_DOCUMENT = 512 * 1024
MOST_KEYS = 50
SHORTEST_RSA_BITS = 2048
_PUBLIC = frozenset({"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"})


@dataclass(frozen=True)
class Metadata:
    discovery: Mapping[str, Any]
    jwks: Mapping[str, Any]  # only public keys that signatures are verified with
    keys: KeySet

    def has(self, kid: str | None) -> bool:
        return any(kid is None or key.kid == kid for key in self.keys.keys)


async def fetched(client: httpx.AsyncClient, issuer: str) -> Metadata:
    """Raises: Unavailable with what is wrong."""
    discovery = await _document(client, issuer.rstrip("/") + "/.well-known/openid-configuration")
    if discovery.get("issuer") != issuer:
        raise Unavailable(
            f"The login at {issuer} calls itself {str(discovery.get('issuer'))[:200]!r}: set login_issuer to that"
        )
    where = discovery.get("jwks_uri")
    if not isinstance(where, str) or urlsplit(where).scheme not in {"https", urlsplit(issuer).scheme}:
        raise Unavailable(f"The login at {issuer} names no keys that could be got safely (jwks_uri)")
    return made(discovery, await _document(client, where))


def made(discovery: Mapping[str, Any], jwks: Mapping[str, Any]) -> Metadata:
    """With those keys that verify signatures. Raises: Unavailable where there are none."""
    listed = jwks.get("keys")
    usable: list[tuple[dict[str, Any], RSAKey | ECKey | OKPKey]] = []
    for one in (listed if isinstance(listed, list) else [])[:MOST_KEYS]:
        key = _usable(one)
        if key is not None:
            usable.append(key)
    if not usable:
        raise Unavailable("The login has no keys that its tokens could be verified with")
    return Metadata(discovery, {"keys": [public for public, _ in usable]}, KeySet([key for _, key in usable]))


def _usable(given: object) -> tuple[dict[str, Any], RSAKey | ECKey | OKPKey] | None:
    """None of another use, of a kind that is not known here, symmetric, or too short."""
    if not isinstance(given, Mapping) or given.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in given.items() if name in _PUBLIC}
    try:
        key = import_key(public)
        if not isinstance(key, RSAKey | ECKey | OKPKey):
            return None
        if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return public, key


def kept(path: Path, issuer: str) -> Metadata | None:
    """The copy of an earlier run, where it is of this issuer."""
    try:
        found = json.loads(path.read_text())
        if found["discovery"]["issuer"] != issuer:
            return None
        return made(found["discovery"], found["jwks"])
    except (OSError, ValueError, KeyError, TypeError, Unavailable):
        return None  # it is got anew


def keep(path: Path, metadata: Metadata) -> None:
    """Raises: OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"discovery": dict(metadata.discovery), "jwks": dict(metadata.jwks)}))
    fresh.chmod(0o600)
    fresh.replace(path)


async def _document(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    try:
        async with client.stream("GET", url, headers={"accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise Unavailable(f"The login answers {answer.status_code} at {url}")
            data = bytearray()
            async for piece in answer.aiter_bytes():
                data += piece
                if len(data) > LONGEST_DOCUMENT:
                    raise Unavailable(f"The login's document at {url} is too long")
        found = json.loads(data)
    except httpx.HTTPError as error:
        raise Unavailable(f"The login cannot be reached at {url}: {error or type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"The login's document at {url} is not JSON") from error
    if not isinstance(found, dict):
        raise Unavailable(f"The login's document at {url} is not a JSON object")
    return found
