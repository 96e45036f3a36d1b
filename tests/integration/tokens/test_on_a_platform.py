"""Tokens on a whole platform: made, used on the direct path, revoked; keys turned; parts killed; another port."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from support.platform_process import Platform, wait_for

pytestmark = pytest.mark.slow
CODE = "def handle(event, context):\n    return event.headers.get('x-ffx-user')\n"
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("tokens") / "data").start()
    wait_for(made.ready, WITHIN_S, "ready")
    with made.client() as admin:
        body = {"name": "who", "runtime": "python", "source": {"files": {"main.py": CODE}}}
        answer = admin.post("/functions/register?wait_s=60", json=body)
        assert answer.json()["status"]["state"] in ("ready", "idle"), answer.text
    yield made
    made.end()


def call(platform: Platform, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{platform.url}/f/admin/who", headers=headers, timeout=60, trust_env=False)


def made(platform: Platform, **wanted: object) -> dict[str, str]:
    with platform.client() as admin:
        answer = admin.post("/tokens", json={"name": "x", **wanted})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def test_a_service_token_calls_and_ends_everywhere_within_two_seconds(platform: Platform) -> None:
    token = made(platform, kind="service", namespaces=["admin"], verbs=["invoke"])
    for _ in range(3):
        assert call(platform, token["token"]).text == token["id"]
    with platform.client() as admin:
        wait_for(
            lambda: admin.get(f"/tokens/{token['id']}").json()["last_used_at"] is not None, WITHIN_S, "its use is shown"
        )
        assert admin.delete(f"/tokens/{token['id']}").status_code == 204
    began = time.monotonic()
    wait_for(lambda: call(platform, token["token"]).status_code == 401, WITHIN_S, "it is void on the direct path")
    assert time.monotonic() - began < 2
    headers = {"Authorization": f"Bearer {token['token']}"}
    answer = httpx.get(f"{platform.url}/whoami", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "token-revoked")


def test_the_tokens_of_a_function_end_with_it(platform: Platform) -> None:
    code = "def handle(event, context):\n    return context.token()\n"
    body = {"name": "asks", "runtime": "python", "source": {"files": {"main.py": code}}}
    with platform.client() as admin:
        admin.post("/functions/register?wait_s=60", json=body)
        token = admin.get("/f/admin/asks").text
        headers = {"Authorization": f"Bearer {token}"}
        said = httpx.get(f"{platform.url}/whoami", headers=headers, trust_env=False)
        assert (said.status_code, said.json()["id"]) == (200, "f-admin.asks"), said.text
        assert call(platform, token).status_code == 404  # nobody granted it anything
        to = {"verbs": ["invoke"]}
        assert admin.put("/functions/admin/who/grants/function%3Aadmin%2Fasks", json=to).status_code in (200, 201)
        wait_for(lambda: call(platform, token).text == "f-admin.asks", WITHIN_S, "the grant is in force")
        assert admin.delete("/functions/admin/asks").status_code == 204
    wait_for(lambda: call(platform, token).status_code == 401, 2, "the token is void")
    assert httpx.get(f"{platform.url}/whoami", headers=headers, trust_env=False).status_code == 401


def test_a_token_that_may_read_may_not_call(platform: Platform) -> None:
    token = made(platform, kind="service", namespaces=["admin"], verbs=["read"])
    assert call(platform, token["token"]).status_code == 403


def test_the_admins_token_holds_when_its_writer_is_killed(platform: Platform) -> None:
    before, pid = platform.token, platform.pids["control"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: platform.pids.get("control") not in (None, pid), WITHIN_S, "another control process")
    wait_for(platform.ready, WITHIN_S, "ready again")
    assert call(platform, before).text == "u-local"
    assert call(platform, platform.token).text == "u-local"


def test_dropping_the_keys_ends_every_token_but_those_made_after(platform: Platform) -> None:
    old = platform.token
    personal = made(platform)["token"]
    with platform.client() as admin:
        assert admin.post("/oidc/keys/rotate?drop=true").status_code == 201
    wait_for(lambda: platform.token != old, WITHIN_S, "another token in the admin's file")
    wait_for(lambda: call(platform, platform.token).status_code == 200, WITHIN_S, "the new key holds at the gateway")
    for token in (old, personal):
        wait_for(
            lambda token=token: call(platform, token).status_code == 401, WITHIN_S, "what the old one signed is void"
        )


def test_tokens_hold_on_when_the_platform_gets_another_address(platform: Platform) -> None:
    personal = made(platform)["token"]
    before = platform.document()["issuer"]
    platform.stop()
    platform.start("--public-url", "http://platform.test")
    wait_for(platform.ready, WITHIN_S, "ready")
    assert platform.document()["issuer"] == "http://platform.test/oidc" != before
    wait_for(lambda: call(platform, personal).text == "u-local", WITHIN_S, "the token from before holds")
    assert call(platform, platform.token).text == "u-local"
