"""A running platform, one function with an instance and one without; the platform's own key, to forge near-valid tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nats
import nats.errors
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from support.forged_tokens import rs256
from support.platform_process import Platform, wait_for

CODE = "def handle(event, context):\n    return 'let in'\n"
LIVE, IDLE = "/f/admin/live", "/f/admin/idle"


@dataclass(frozen=True)
class Target:
    platform: Platform
    key: rsa.RSAPrivateKey
    kid: str
    issuer: str

    def header(self, **changes: Any) -> dict[str, Any]:
        """Of a token that holds; a change to None leaves the field out."""
        return _given({"alg": "RS256", "typ": "at+jwt", "kid": self.kid, **changes})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of the local admin."""
        now = int(time.time())
        made = {"iss": self.issuer, "sub": "u-local", "pid": "u-local", "aud": "faasioflex", "kind": "admin-file"}
        made |= {"iat": now, "nbf": now, "exp": now + 600, "jti": "forged", "namespace": "admin", "role": "admin"}
        return _given({**made, **changes})

    def signed(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """With the platform's own key."""
        return rs256(header or self.header(), self.claims(**claims), self.key)

    def ask(self, path: str, *authorization: str, query: str = "") -> httpx.Response:
        headers = [("authorization", value) for value in authorization]
        with httpx.Client(base_url=self.platform.url, timeout=30, trust_env=False) as client:
            return client.get(path + query, headers=[(name, value.encode("latin-1")) for name, value in headers])

    async def nats_lets_in(self, token: str) -> bool:
        url = str(self.platform.document()["nats_url"])
        try:
            client = await nats.connect(url, token=token, allow_reconnect=False, connect_timeout=5, error_cb=_quiet)
        except (nats.errors.Error, OSError, TimeoutError):
            return False
        await client.close()
        return True

    def instances(self, name: str) -> int:
        with self.platform.client() as admin:
            return int(admin.get(f"/functions/admin/{name}").json()["status"]["ready_instances"])


async def _quiet(_: Exception) -> None: ...


def _given(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    platform = Platform(tmp_path_factory.mktemp("forged") / "data")
    try:
        platform.start()
        wait_for(platform.ready, 60, "ready")
        with platform.client() as admin:
            for name, scaling in (("live", {"min_instances": 1}), ("idle", {"idle_s": 1})):
                body = {"name": name, "runtime": "python", "scaling": scaling, "source": {"files": {"main.py": CODE}}}
                answer = admin.post("/functions/register?wait_s=60", json=body)
                assert answer.status_code == 201, answer.text
        key, kid = _key(platform.data)
        made = Target(platform, key, kid, str(platform.document()["issuer"]))
        wait_for(lambda: made.instances("live") == 1, 60, "an instance of live")
        wait_for(lambda: made.instances("idle") == 0, 60, "none of idle")
        yield made
    finally:
        platform.end()


def _key(data: Path) -> tuple[rsa.RSAPrivateKey, str]:
    """Where an attacker is not: so that a test forges all but one thing right."""
    pem = next((data / "identity/keys").glob("*.pem")).read_bytes()
    made = serialization.load_pem_private_key(pem, None)
    assert isinstance(made, rsa.RSAPrivateKey)
    return made, str(RSAKey.import_key(pem).thumbprint())
