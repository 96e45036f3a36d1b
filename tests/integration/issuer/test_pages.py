"""The pages that people see beside the login form: devices, second factor, accounts of their own, in both languages."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pyotp

from support.issuer_world import Embedded, embedded
from support.login_attacks import EMAIL, PASSWORD, browser, code_in, log_in

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
NEW = "another long one"


async def send(client: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    return await client.post(path, data={"csrf": client.cookies["ffx_csrf"], **form})


async def poll(client: httpx.AsyncClient, given: dict[str, Any]) -> dict[str, Any]:
    form = {"grant_type": DEVICE, "client_id": "ffx-cli", "device_code": given["device_code"]}
    answer: dict[str, Any] = (await client.post("/oidc/token", data=form)).json()
    return answer


def link_in(world: Embedded) -> str:
    found = re.search(r"http\S+", world.mails[-1][2])
    assert found
    return found[0]


def hidden_step(page: httpx.Response) -> str:
    found = re.search(r'name="step" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


async def test_a_device_waits_is_slowed_down_refused_and_let_in_once(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        asked = {"client_id": "ffx-cli", "scope": "openid"}
        first = (await client.post("/oidc/device/code", data=asked)).json()
        assert (await poll(client, first))["error"] == "authorization_pending"
        assert (await poll(client, first))["error"] == "slow_down"
        await client.get("/oidc/device")
        await send(client, "/oidc/device", email=EMAIL, password=PASSWORD)
        assert (await send(client, "/oidc/device", user_code="BBBB-BBBB")).status_code == 400
        page = await send(client, "/oidc/device", user_code=first["user_code"].lower())
        assert "FaaSioFlex command line" in page.text
        await send(client, "/oidc/device", user_code=first["user_code"], do="deny")
        assert (await poll(client, first))["error"] == "access_denied"
        second = (await client.post("/oidc/device/code", data=asked)).json()
        await send(client, "/oidc/device", user_code=second["user_code"], do="allow")
        assert "access_token" in await poll(client, second)
        assert (await poll(client, second))["error"] == "expired_token"


async def test_a_second_factor_is_turned_on_asked_for_and_replaced_by_a_recovery_code(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        made = await world.login.create_user(EMAIL, "Ada", PASSWORD)
        await client.get("/oidc/second-factor")
        page = await send(client, "/oidc/second-factor", email=EMAIL, password=PASSWORD)
        secret = re.search(r"\b[A-Z2-7]{32}\b", page.text)
        assert secret
        totp, now = pyotp.TOTP(secret[0]), world.login.clock()
        page = await send(client, "/oidc/second-factor", step=hidden_step(page), otp=totp.at(int(now)))
        codes = re.findall(r"<code>(\w+)</code>", page.text)
        assert len(codes) == 10
        account = await world.login.accounts.get(made.subject)
        assert secret[0] not in account.totp
        async with browser(world) as other:
            page = await log_in(other)
            assert "location" not in page.headers
            form = {"step": hidden_step(page), "otp": totp.at(account.totp_step * 30)}  # the one that was used
            page = await send(other, "/oidc/device", **form)
            assert 'name="otp"' in page.text
            page = await send(other, "/oidc/device", step=hidden_step(page), otp=codes[0])
            assert 'name="user_code"' in page.text
        async with browser(world) as third:
            page = await log_in(third)
            page = await send(third, "/oidc/device", step=hidden_step(page), otp=codes[0])
            assert 'name="otp"' in page.text  # each lets in once
        page = await send(client, "/oidc/second-factor", otp=codes[1])
        assert (await world.login.accounts.get(made.subject)).totp == ""
        async with browser(world) as fourth:
            code_in(await log_in(fourth))


async def test_a_password_is_reset_by_a_link_that_works_once_and_ends_every_session(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code_in(await log_in(client))
        async with browser(world) as other:
            await other.get("/oidc/forgot")
            await send(other, "/oidc/forgot", email=EMAIL)
            await asyncio.gather(*world.login._sending)
            link = link_in(world)
            for wrong in ({"again": "not the same"}, {"new_password": "short", "again": "short"}):
                assert (await send(other, link, **{"new_password": NEW, "again": NEW, **wrong})).status_code == 400
            assert (await send(other, link, new_password=NEW, again=NEW)).status_code == 200
            assert (await send(other, link, new_password=NEW + "!", again=NEW + "!")).status_code == 400
        assert 'name="password"' in (await client.get("/oidc/device")).text
        assert "location" not in (await log_in(client)).headers
        code_in(await log_in(client, password=NEW))


async def test_whoever_reads_its_mails_makes_an_account_where_sign_up_is_open(tmp_path: Path) -> None:
    async with embedded(tmp_path, sign_up="open") as world, browser(world) as client:
        await client.get("/oidc/signup")
        await send(client, "/oidc/signup", email=EMAIL)
        await asyncio.gather(*world.login._sending)
        form = {"name": "Ada", "new_password": PASSWORD, "again": PASSWORD}
        assert (await send(client, link_in(world), **form)).status_code == 200
        assert (await send(client, link_in(world), **form)).status_code == 400
        code_in(await log_in(client))
        await send(client, "/oidc/signup", email=EMAIL)
        await world.login.stop()
        assert len(world.mails) == 1  # who has an account gets no other


async def test_nobody_signs_up_where_it_takes_an_invitation(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        assert (await client.get("/oidc/signup")).status_code == 403
        link = await world.login.invite(EMAIL, "Ada", "auditor", "the admin")
        assert [to for to, _, _ in world.mails] == [EMAIL]
        await client.get(link)
        form = {"name": "Ada L.", "new_password": PASSWORD, "again": PASSWORD}
        assert (await send(client, link, **form)).status_code == 200
        account = await world.login.accounts.by_email(EMAIL)
        assert account is not None
        assert (account.name, account.role, account.email_verified) == ("Ada L.", "auditor", True)


async def test_the_pages_speak_spanish(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        page = await client.get("/oidc/device", headers={"accept-language": "es-MX,en;q=0.5"})
        assert '<html lang="es">' in page.text
        assert "Iniciar sesión" in page.text
        page = await client.get("/oidc/forgot?ui_locales=es", headers={"accept-language": "en"})
        assert "Restablecer la contraseña" in page.text
        assert '<html lang="en">' in (await client.get("/oidc/device", headers={"accept-language": "fr"})).text
