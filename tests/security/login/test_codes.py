"""Codes and refresh tokens in wrong hands, used twice, or after the login that gave them ended."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from faasioflex.identity.issuer.clients import StaticClient
from faasioflex.identity.issuer.static_file import StaticLogin
from faasioflex.identity.tokens.grants import Client
from support.deadline import awaited
from support.issuer_world import embedded
from support.login_attacks import EMAIL, PASSWORD, browser, code_in, log_in, redeem, refresh, whoami

OTHER = StaticClient(
    Client("other", "Other", public=False, first_party=False),
    ("http://127.0.0.1/callback",),
    hashlib.sha256(b"hush").hexdigest(),
)
CLIENTS = StaticLogin((), {"other": OTHER})


async def test_a_code_is_for_its_client_its_address_and_its_verifier(tmp_path: Path) -> None:
    async with embedded(tmp_path, static=CLIENTS) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        for wrong in (
            {"client_id": "ffx-console"},
            {"client_id": "other", "client_secret": "hush"},
            {"redirect_uri": "http://127.0.0.1:4712/callback"},
            {"redirect_uri": ""},
            {"code_verifier": "w" * 64},
            {"code_verifier": ""},
        ):
            async with browser(world) as visitor:
                code = code_in(await log_in(visitor))
            answer = await redeem(client, code, **wrong)
            assert answer.json()["error"] in {"invalid_grant", "invalid_client"}, wrong
            assert (await redeem(client, code)).json()["error"] == "invalid_grant", wrong  # it was spent by the try


async def test_a_code_that_comes_again_ends_what_it_gave(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code = code_in(await log_in(client))
        tokens = (await redeem(client, code)).json()
        assert await whoami(client, tokens) == 200
        assert (await redeem(client, code)).json()["error"] == "invalid_grant"
        await awaited(lambda: _is_out(client, tokens), "the access token is void")
        assert (await refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_of_many_who_bring_a_code_at_once_one_is_served(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code = code_in(await log_in(client))
        answers = await asyncio.gather(*(redeem(client, code) for _ in range(8)))
        assert sum(one.status_code == 200 for one in answers) == 1


async def test_a_refresh_token_that_comes_again_ends_the_login(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        first = (await redeem(client, code_in(await log_in(client)))).json()
        second = (await refresh(client, first["refresh_token"])).json()
        assert (await refresh(client, second["refresh_token"], client_id="ffx-console")).status_code == 400
        assert (await refresh(client, first["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await refresh(client, second["refresh_token"])).json()["error"] == "invalid_grant"
        await awaited(lambda: _is_out(client, second), "the access token is void")


async def test_after_a_cut_off_no_code_is_redeemed_and_no_session_goes_on(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        made = await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code = code_in(await log_in(client))
        assert "user_code" in (await client.get("/oidc/device")).text
        await world.login.tokens.end_logins(world.login.issuer, made.subject)
        assert (await redeem(client, code)).json()["error"] == "invalid_grant"
        assert "user_code" not in (await client.get("/oidc/device")).text  # it asks who one is
        tokens = (await redeem(client, code_in(await log_in(client)))).json()  # in the same second
        assert await whoami(client, tokens) == 200


async def test_a_third_partys_tokens_are_of_no_use_here(tmp_path: Path) -> None:
    asked = {"client_id": "other", "redirect_uri": "http://127.0.0.1:9/callback"}
    proof = {"client_id": "other", "client_secret": "hush"}
    async with embedded(tmp_path, static=CLIENTS) as world, browser(world) as client:
        made = await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code = code_in(await log_in(client, **asked))
        tokens = (await redeem(client, code, **proof, redirect_uri=asked["redirect_uri"])).json()
        assert await whoami(client, tokens) == 401
        again = (await refresh(client, tokens["refresh_token"], **proof)).json()
        assert await whoami(client, again) == 401
        assert (await refresh(client, again["refresh_token"])).status_code >= 400  # as ffx-cli
        bearer = {"authorization": f"Bearer {again['access_token']}"}
        said = (await client.get("/oidc/userinfo", headers=bearer)).json()
        assert (said["sub"], said["email_verified"]) == (made.subject, True)
        await client.post("/oidc/revoke", data={**proof, "token": again["refresh_token"]})
        assert (await client.get("/oidc/userinfo", headers=bearer)).status_code == 401
        assert (await refresh(client, again["refresh_token"], **proof)).json()["error"] == "invalid_grant"


async def _is_out(client: object, tokens: dict[str, str]) -> bool:
    return await whoami(client, tokens) == 401  # type: ignore[arg-type]
