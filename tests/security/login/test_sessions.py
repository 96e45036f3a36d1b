"""Sessions of the login page: not fixed beforehand, not begun by others' pages, not left open by a link."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from faasioflex.identity.notify.message import message
from faasioflex.model.errors import FfxError
from support.issuer_world import embedded
from support.login_attacks import ASKED, EMAIL, PASSWORD, browser, code_in, log_in


async def test_a_session_that_somebody_planted_is_not_the_one_that_begins(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client, browser(world) as attacker:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        await world.login.create_user("eve@example.test", "Eve", PASSWORD)
        code_in(await log_in(attacker, "eve@example.test"))
        for planted in ("planted-by-somebody", attacker.cookies["ffx_session"]):
            client.cookies.clear()
            client.cookies.set("ffx_session", planted, path="/oidc")
            answer = await log_in(client)
            code_in(answer)
            begun = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("ffx_session="))
            assert planted not in begun
            held = httpx.Cookies({"ffx_session": planted})
            async with httpx.AsyncClient(base_url=world.url, cookies=held, trust_env=False) as other:
                assert 'name="password"' in (await other.get("/oidc/device")).text


async def test_somebody_elses_page_logs_nobody_in_or_out(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code_in(await log_in(client))
        await client.get("/oidc/logout")
        assert (await client.post("/oidc/logout", data={"csrf": "guessed"})).status_code == 400
        again = await client.get("/oidc/authorize", params=ASKED)
        assert f"Continue as {EMAIL}" in again.text
        answer = await client.post("/oidc/authorize", params=ASKED, data={"do": "continue"})
        assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_logging_out_ends_the_session_and_goes_to_the_clients_own_addresses_only(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        code_in(await log_in(client))
        session = client.cookies["ffx_session"]
        form = {"csrf": client.cookies["ffx_csrf"], "do": "logout"}
        query = {"client_id": "ffx-cli", "post_logout_redirect_uri": "https://evil.test/"}
        answer = await client.post("/oidc/logout", params=query, data=form)
        assert (answer.status_code, "location" in answer.headers) == (200, False)
        async with httpx.AsyncClient(base_url=world.url, cookies={"ffx_session": session}, trust_env=False) as other:
            assert 'name="password"' in (await other.get("/oidc/device")).text


@pytest.mark.parametrize(
    "to", ["a@b.test\nBcc: c@d.test", "a@b.test\r\n\r\nhello", "a@b.test, c@d.test", "a@b.test\x00"]
)
async def test_no_address_adds_a_header_or_somebody_to_a_mail(tmp_path: Path, to: str) -> None:
    with pytest.raises(FfxError):
        message("from@example.test", to, "Hello", "text")
    async with embedded(tmp_path, sign_up="open") as world, browser(world) as client:
        await client.get("/oidc/signup")
        answer = await client.post("/oidc/signup", data={"csrf": client.cookies["ffx_csrf"], "email": to})
        await world.login.stop()
        assert answer.status_code == 400
        assert world.mails == []


def test_no_subject_or_name_adds_a_header() -> None:
    with pytest.raises(FfxError):
        message("from@example.test", "a@b.test", "Hello\nBcc: c@d.test", "text")
