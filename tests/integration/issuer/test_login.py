"""Logging in at the embedded issuer, through the API's application on a port."""

from __future__ import annotations

import json
import time
from pathlib import Path

import argon2
import bcrypt
import httpx
import pytest

from faasioflex.identity.issuer.static_file import read
from support.code_flow import CodeFlow, LoginRefused
from support.issuer_world import Embedded, embedded

EMAIL, PASSWORD = "ada@example.test", "a long enough one"
REDIRECT = "http://127.0.0.1:4711/callback"


async def flow(world: Embedded, client_id: str = "ffx-cli", redirect: str = REDIRECT) -> CodeFlow:
    return CodeFlow(await world.login.discovery(), client_id, redirect, scope="openid profile email offline_access")


async def test_a_code_gives_tokens_of_the_platform(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world:
        made = await world.login.create_user(EMAIL, "Ada", PASSWORD)
        found = await (await flow(world)).tokens(EMAIL, PASSWORD)
        identity = await world.login.verify_id_token(found["id_token"], time.time())
        assert (identity.subject, identity.email, identity.name) == (made.subject, EMAIL, "Ada")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
            bearer = {"authorization": f"Bearer {found['access_token']}"}
            assert (await client.get("/whoami", headers=bearer)).json()["email"] == EMAIL
            assert (await client.get("/oidc/userinfo", headers=bearer)).json()["sub"] == made.subject
            form = {"grant_type": "refresh_token", "client_id": "ffx-cli", "refresh_token": found["refresh_token"]}
            again = await client.post("/oidc/token", data=form)
            assert again.status_code == 200
            assert (await client.post("/oidc/token", data=form)).json()["error"] == "invalid_grant"  # a replay ends all
            form["refresh_token"] = again.json()["refresh_token"]
            assert (await client.post("/oidc/token", data=form)).json()["error"] == "invalid_grant"


async def test_the_first_admin_is_taken_in_and_must_choose_a_password(tmp_path: Path) -> None:
    file = tmp_path / "first-admin.json"
    file.write_text(json.dumps({"email": "admin@localhost", "password_hash": argon2.PasswordHasher().hash(PASSWORD)}))
    async with embedded(tmp_path, first_admin=file) as world:
        assert not file.exists()
        with pytest.raises(LoginRefused):  # by a page that asks for a new one
            await (await flow(world)).tokens("admin@localhost", PASSWORD)
        account = await world.login.accounts.by_email("admin@localhost")
        assert account is not None
        assert (account.role, account.must_change) == ("admin", True)


async def test_a_file_of_dex_gives_people_and_clients(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    file = tmp_path / "login.yaml"
    file.write_text(
        f'staticPasswords:\n- {{email: {EMAIL}, hash: "{hashed}", username: Ada, userID: "08a8684b"}}\n'
        "staticClients:\n- {id: app, secret: app-secret, redirectURIs: ['http://127.0.0.1/app']}\n"
    )
    async with embedded(tmp_path, static=read(file)) as world:
        found = await (await flow(world)).tokens(EMAIL, PASSWORD)
        assert (await world.login.verify_id_token(found["id_token"], time.time())).subject == "08a8684b"
        assert (await world.login.accounts.get("08a8684b")).password_hash.startswith("$argon2id$")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
            asked = {"grant_type": "client_credentials"}
            answer = await client.post("/oidc/token", data=asked, auth=("app", "app-secret"))
            bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
            assert (await client.get("/whoami", headers=bearer)).status_code == 401
            assert (await client.post("/oidc/token", data=asked, auth=("app", "wrong"))).status_code == 401
