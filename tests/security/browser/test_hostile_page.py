"""A function serves hostile HTML to somebody who is logged in, in a real browser: nothing of theirs is reached."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from support.platform_process import Platform

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
EMAIL, PASSWORD = "eve-is-watching@example.test", "correct horse battery staple 7"
HOSTILE = """
async function attempt(work) { try { return String(await work()) } catch (error) { return 'failed: ' + error.name } }
async function run() {
  const tried = {}
  tried.origin = String(self.origin)
  tried.cookie = await attempt(() => document.cookie || 'none')
  tried.setCookie = await attempt(() => { document.cookie = 'ffx_session=mine; path=/'; return document.cookie || 'none' })
  tried.storage = await attempt(() => localStorage.length)
  tried.worker = await attempt(async () => (await navigator.serviceWorker.register('/f/admin/hostile/sw.js', {scope: '/'})).scope)
  tried.whoami = await attempt(async () => (await fetch('/whoami', {credentials: 'include'})).text())
  tried.login = await attempt(async () => (await fetch('/oidc/authorize', {credentials: 'include'})).text())
  tried.register = await attempt(async () => (await fetch('/functions/register', {method: 'POST', credentials: 'include',
    mode: 'no-cors', headers: {'content-type': 'text/plain'},
    body: JSON.stringify({name: 'planted', runtime: 'exec', source: {files: {run: 'x'}}})})).type)
  tried.frame = await attempt(() => new Promise(resolve => {
    const frame = document.createElement('iframe')
    frame.src = '/oidc/authorize'
    frame.onload = () => { try { resolve(frame.contentDocument.body.innerText) } catch (error) { resolve('failed: ' + error.name) } }
    document.body.append(frame)
  }))
  tried.opener = await attempt(() => window.opener ? window.opener.document.cookie : 'none')
  document.body.dataset.tried = JSON.stringify(tried)
}
run()
"""
MAIN = f"""
from ffx_runtime import Response

def handle(event, context):
    if event.path == "/sw.js":
        return Response("self.onfetch = () => 0", 200, {{"Content-Type": "text/javascript", "Service-Worker-Allowed": "/"}})
    if event.path == "/seen":
        return {{"cookie": event.headers.get("cookie"), "authorization": event.headers.get("authorization")}}
    headers = {{"Content-Type": "text/html", "Set-Cookie": "ffx_session=planted; Path=/oidc"}}
    return Response("<!doctype html><body><script>" + {HOSTILE!r} + "</script>", 200, headers)
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("platform") / "data")
    try:
        made.start()
        document = {
            "name": "hostile",
            "runtime": "python",
            "visibility": "public",
            "source": {"files": {"main.py": MAIN}},
        }
        with made.client() as client:
            client.timeout = httpx.Timeout(90)
            answer = client.post("/functions/register?wait_s=60", json=document)
            assert answer.json()["status"]["state"] == "ready", answer.text
            user = {"email": EMAIL, "name": "Eve", "password": PASSWORD}
            assert client.post("/users", json=user).status_code == 201
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


def sign_in(page: Any, url: str) -> str:
    """By the pages, as people do. Returns where it ends."""
    asked = {
        "client_id": "ffx-cli",
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": "http://127.0.0.1:9/callback",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    page.goto(f"{url}/oidc/authorize?{urlencode(asked)}")
    page.fill("input[name=email]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    with page.expect_request(lambda request: "code=" in request.url) as sent:
        page.click("button >> nth=0")
    return str(sent.value.url)


def test_a_hostile_page_reaches_nothing_of_the_signed_in(platform: Platform, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, platform.url)
    session = [cookie for cookie in context.cookies() if cookie["name"] == "ffx_session"]
    assert session, "signed in"
    assert session[0]["httpOnly"]
    assert session[0]["sameSite"] == "Lax"

    page = context.new_page()
    page.goto(f"{platform.url}/f/admin/hostile")
    page.wait_for_selector("body[data-tried]", state="attached", timeout=30_000)
    tried = json.loads(page.get_attribute("body", "data-tried"))
    assert tried["origin"] == "null", "an origin of its own"
    for what in ("cookie", "setCookie", "storage", "worker", "whoami", "login", "frame"):
        assert tried[what].startswith("failed"), (what, tried)
    assert "Eve" not in json.dumps(tried)
    assert [one["value"] for one in context.cookies() if one["name"] == "ffx_session"] == [session[0]["value"]]

    page.goto(f"{platform.url}/f/admin/hostile/seen")
    assert json.loads(page.inner_text("body")) == {"cookie": None, "authorization": None}
    with platform.client() as client:
        names = [one["name"] for one in client.get("/functions").json()["items"]]
    assert names == ["hostile"], "nothing was planted"
    context.close()


def test_the_login_is_not_shown_in_a_frame_of_another_site(platform: Platform, browser: Any, tmp_path: Path) -> None:
    site = tmp_path / "site.html"
    site.write_text(f'<iframe id="login" src="{platform.url}/oidc/authorize"></iframe>')
    context = browser.new_context()
    page = context.new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    page.goto(site.as_uri())
    page.wait_for_load_state("networkidle")
    frames = [frame for frame in page.frames if frame != page.main_frame]
    assert not any(frame.locator("input[name=password]").count() for frame in frames)
    context.close()


def test_a_page_of_another_site_cannot_log_in_or_change_anything(platform: Platform) -> None:
    """Without a browser: what one would send."""
    other = {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    with httpx.Client(base_url=platform.url) as client:
        page = client.get("/oidc/authorize")
        assert "frame-ancestors 'none'" in page.headers.get("content-security-policy", "")
        assert client.post("/oidc/authorize", content="email=a&password=b", headers=other).status_code in (400, 403)
        assert client.post("/functions/register", content="{}", headers=other).status_code in (401, 403)
