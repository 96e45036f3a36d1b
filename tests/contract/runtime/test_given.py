"""What the platform gives a function beside the request: secrets and a token as files, and who calls."""

from __future__ import annotations

from pathlib import Path

import pytest

CALLER = {"X-Ffx-User": "u-1", "X-Ffx-Groups": "ops,team-a", "X-Ffx-Email": "ada@example.test"}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db-password").write_text("correct horse")
    (tmp_path / "token").write_text("first.token")
    return {"FFX_SECRETS_DIR": str(tmp_path / "secrets"), "FFX_TOKEN_FILE": str(tmp_path / "token")}


async def test_secrets_and_the_token_are_read_as_they_are_now(subject, start, given, tmp_path):
    instance = await start(subject, env=given)
    async with instance.client() as client:
        assert (await client.get("/given")).json() == {
            "secret": "correct horse",
            "token": "first.token",
            "principal": None,
        }
        for name, text in (("secrets/db-password", "battery staple"), ("token", "second.token")):
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").replace(tmp_path / name)
        found = (await client.get("/given")).json()
    assert (found["secret"], found["token"]) == ("battery staple", "second.token")


async def test_it_is_told_who_calls(subject, start, given):
    instance = await start(subject, env=given)
    async with instance.client(headers=CALLER) as client:
        found = (await client.get("/given")).json()["principal"]
    assert found == {"user": "u-1", "groups": ["ops", "team-a"], "email": "ada@example.test"}


async def test_who_calls_may_have_neither_groups_nor_e_mail(subject, start, given):
    instance = await start(subject, env=given)
    async with instance.client(headers={"X-Ffx-User": "s-1", "X-Ffx-Groups": ""}) as client:
        found = (await client.get("/given")).json()["principal"]
    assert found == {"user": "s-1", "groups": [], "email": ""}


async def test_a_header_that_looks_like_the_caller_in_an_environment_is_none(subject, start, given):
    instance = await start(subject, env=given)
    headers = {"X_Ffx_User": "u-evil", "X-Ffx_User": "u-evil", "x_ffx_email": "evil@example.test"}
    async with instance.client(headers=headers) as client:
        assert (await client.get("/given")).json()["principal"] is None
    async with instance.client(headers={**headers, **CALLER}) as client:
        assert (await client.get("/given")).json()["principal"]["user"] == "u-1"
