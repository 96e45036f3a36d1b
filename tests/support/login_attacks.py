"""Logging in step by step at the embedded login, for those who leave a step out or take somebody else's."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from support.issuer_world import Embedded

EMAIL, PASSWORD = "ada@example.test", "a long enough one"
REDIRECT = "http://127.0.0.1:4711/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "ffx-cli",
    "redirect_uri": REDIRECT,
    "scope": "openid email offline_access",
    "state": "s",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def browser(world: Embedded) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=60)


async def log_in(
    client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD, **asked: str
) -> httpx.Response:
    """The answer to the page's form."""
    query = {**ASKED, **asked}
    await client.get("/oidc/authorize", params=query)
    form = {"csrf": client.cookies["ffx_csrf"], "email": email, "password": password}
    return await client.post("/oidc/authorize", params=query, data=form)


def code_in(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def redeem(client: httpx.AsyncClient, code: str, **more: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": "ffx-cli",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **more,
    }
    return await client.post("/oidc/token", data=form)


async def refresh(client: httpx.AsyncClient, token: str, **more: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "client_id": "ffx-cli", "refresh_token": token, **more}
    return await client.post("/oidc/token", data=form)


async def whoami(client: httpx.AsyncClient, tokens: dict[str, Any]) -> int:
    return (await client.get("/whoami", headers={"authorization": f"Bearer {tokens['access_token']}"})).status_code
