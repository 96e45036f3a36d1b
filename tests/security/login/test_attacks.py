"""Attacks on the embedded login's pages, against the API's whole application."""

from __future__ import annotations

from pathlib import Path

import httpx

from faasioflex.identity.issuer.throttle import Throttle
from support.issuer_world import Embedded, embedded

EMAIL, PASSWORD = "ada@example.test", "a long enough one"
GOOD = {
    "response_type": "code",
    "client_id": "ffx-cli",
    "redirect_uri": "http://127.0.0.1:4711/callback",
    "scope": "openid",
    "state": "s",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}


def browser(world: Embedded) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=30)


async def log_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    await client.get("/oidc/authorize", params=GOOD)
    form = {"csrf": client.cookies["ffx_csrf"], "email": email, "password": password}
    return await client.post("/oidc/authorize", params=GOOD, data=form)


async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        for evil in (
            "https://evil.test/callback",
            "http://127.0.0.1@evil.test/callback",
            "http://127.0.0.1:1/callback/../x",
            "http://127.0.0.1.evil.test/callback",
            "http://127.0.0.1:1/callback#x",
            "//evil.test/callback",
        ):
            answer = await client.get("/oidc/authorize", params={**GOOD, "redirect_uri": evil})
            assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_there_is_no_login_without_pkce(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        for worse in ({"code_challenge_method": "plain"}, {"code_challenge": ""}, {"code_challenge_method": ""}):
            answer = await client.get("/oidc/authorize", params={**GOOD, **worse})
            assert "error=invalid_request" in answer.headers["location"]


async def test_a_form_of_somebody_else_is_refused_and_no_page_is_framed(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        page = await client.get("/oidc/authorize", params=GOOD)
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        form = {"csrf": "wrong", "email": EMAIL, "password": PASSWORD}
        assert (await client.post("/oidc/authorize", params=GOOD, data=form)).status_code == 400
        cookie = (await log_in(client, EMAIL, PASSWORD)).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie


async def test_guessing_is_stopped_and_tells_nobody_who_exists(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        world.login.throttle = Throttle(lambda: 1000.0)  # no wait ends however slow the machine is
        for email in (EMAIL, "nobody@example.test"):
            statuses = [(await log_in(client, email, "wrong password")).status_code for _ in range(7)]
            assert (statuses[0], statuses[-1]) == (400, 429)


async def test_a_reset_link_names_the_issuer_and_goes_to_accounts_only(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        await client.get("/oidc/forgot")
        csrf, texts = client.cookies["ffx_csrf"], []
        for email in (EMAIL, "nobody@example.test"):
            headers = {"x-forwarded-host": "evil.test"}
            texts.append((await client.post("/oidc/forgot", data={"csrf": csrf, "email": email}, headers=headers)).text)
        await world.login.stop()
        assert texts[0] == texts[1]
        assert [to for to, _, _ in world.mails] == [EMAIL]
        assert f"{world.url}/oidc/reset?code=" in world.mails[0][2]
