"""On a running platform: how soon a grant counts at the gateway of a live function, and how long a login takes."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from pathlib import Path
from urllib.parse import quote

import httpx

from bench.bench import Amount, say
from bench.figures import Json, percentiles
from bench.platform_under_test import NAMESPACE, Platform, running

CODE = {"main.py": "def handle(event, context):\n    return 1\n"}
PASSWORD = "of the bench, and quite long 7"  # noqa: S105 - of accounts that live for a minute


def measure(data: Path, amount: Amount) -> Json:
    people = min(amount.block_calls, 20)
    with running(data) as platform, httpx.Client(base_url=platform.url, timeout=30) as client:
        platform.deploy("live", "python", CODE)
        client.headers["authorization"] = f"Bearer {platform.token}"
        login_ms, grant_ms = [], []
        for number in range(people):
            email = f"person{number}@bench.test"
            made = client.post("/users", json={"email": email, "name": "", "password": PASSWORD})
            made.raise_for_status()
            took_ms, token = _login(platform, email)
            login_ms.append(took_ms)
            grant_ms.append(_grant(platform, client, email, token))
        found = {"login_ms": percentiles(login_ms, 1), "grant_ms": percentiles(grant_ms, 1)}
    say(f"  a login: {found['login_ms']}")
    say(f"  a grant counts: {found['grant_ms']}")
    return found


def _grant(platform: Platform, admin: httpx.Client, email: str, token: str) -> float:
    """From asking for it until the gateway serves the caller, who was refused before."""
    address = f"/f/{NAMESPACE}/live"
    with httpx.Client(base_url=platform.url, headers={"authorization": f"Bearer {token}"}) as caller:
        if caller.get(address).status_code != 404:
            raise RuntimeError("a stranger was let in")
        began = time.perf_counter()
        path = f"/functions/{NAMESPACE}/live/grants/{quote(f'user:{email}', safe='')}"
        admin.put(path, json={"verbs": ["invoke"]}).raise_for_status()
        while caller.get(address).status_code != 200:
            pass
        return 1000 * (time.perf_counter() - began)


def _login(platform: Platform, email: str) -> tuple[float, str]:
    """Milliseconds from sending the form to its answer, and an access token."""
    verifier = secrets.token_urlsafe(40)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    back = "http://127.0.0.1:9/callback"
    asked = {
        "client_id": "ffx-cli",
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": back,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with httpx.Client(base_url=platform.url, timeout=30) as browser:
        page = browser.get("/oidc/authorize", params=asked)
        csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)
        if csrf is None:
            raise RuntimeError("the login page has no form")
        form = {"csrf": csrf[1], "email": email, "password": PASSWORD, "do": "sign-in"}
        began = time.perf_counter()
        answer = browser.post(page.url, data=form)
        took_ms = 1000 * (time.perf_counter() - began)
        code = httpx.URL(answer.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": "ffx-cli"}
        tokens = browser.post("/oidc/token", data={**form, "code_verifier": verifier})
        tokens.raise_for_status()
        return took_ms, str(tokens.json()["access_token"])
