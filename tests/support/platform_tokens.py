"""Tokens of a throwaway key, with any claims, for tests of what stands in front of the platform's own verifier."""

from __future__ import annotations

import secrets
import time
from typing import Any

from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE
from support.identity import ISSUER, throwaway_keys

ALICE = "u-alice"


def claims(pid: str = ALICE, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "sub": pid,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": secrets.token_hex(8),
        "pid": pid,
        "kind": "access",
        "groups": ["eng", "ops"],
        "ffx_groups": "eng,ops",
        "email": f"{pid}@example.test",
    }
    return {**said, **more}


def token(pid: str = ALICE, **more: Any) -> str:
    return throwaway_keys().sign(claims(pid, **more), TOKEN_TYPE)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}
