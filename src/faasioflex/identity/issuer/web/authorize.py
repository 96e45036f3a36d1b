"""The authorization endpoint: code with PKCE, S256 for every client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from faasioflex.identity.issuer.clients import StaticClient
from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.grants import SCOPES
from faasioflex.identity.issuer.web.page import Browser, Page
from faasioflex.identity.issuer.web.sign_in import SignedIn, SignIn

CODE_S = 60.0
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Asked:
    client: StaticClient
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    challenge: str
    prompt: str


class Authorize:
    def __init__(self, login: EmbeddedLogin, sign_in: SignIn) -> None:
        self._login = login
        self._sign_in = sign_in

    async def page(self, request: Request) -> Response:
        browser = Browser(request, self._login.issuer)
        query = request.query_params
        client = self._login.clients.find(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        doubled = len(query.multi_items()) != len(query)
        if client is None or not client.redirect(redirect_uri) or doubled:
            what = "parameters twice" if doubled else "client_id" if client is None else "redirect_uri"
            return browser.show(Page(browser.text("refused"), (f"invalid_request: {what}",), status=400))
        asked = _read(client, query)
        if isinstance(asked, str):
            return self._back(browser, redirect_uri, query.get("state", ""), {"error": asked})
        found = await self._advance(browser, request, asked)
        if isinstance(found, SignedIn):
            return await self._code(browser, asked, found)
        if isinstance(found, Response):
            return found
        return browser.show(found, f" {_origin(redirect_uri)}")

    async def _advance(self, browser: Browser, request: Request, asked: Asked) -> Page | SignedIn | Response:
        """Somebody who is logged in is asked all the same: a code for a loopback address is anybody's who listens there."""
        name, held = asked.client.client.name, await self._sign_in.session(browser)
        if request.method == "POST":
            form = await browser.form()
            if form.get("do") == "continue" and held is not None and asked.prompt != "login":
                return held
            if form.get("do") in {"continue", "other"}:
                await self._sign_in.end(browser)
                return self._sign_in.first(browser, name)
            return await self._sign_in.advance(browser, form, name)
        if asked.prompt == "none":
            error = {"error": "login_required" if held is None else "interaction_required"}
            return self._back(browser, asked.redirect_uri, asked.state, error)
        if held is None or asked.prompt == "login":
            return self._sign_in.first(browser, name)
        again = (("continue", browser.text("continue", email=held.account.email)), ("other", browser.text("other")))
        return Page(browser.text("login"), (browser.text("to", client=name),), buttons=again)

    async def _code(self, browser: Browser, asked: Asked, who: SignedIn) -> Response:
        said = {
            "subject": who.account.subject,
            "auth_time": str(who.auth_time),
            "client_id": asked.client.client.client_id,
            "redirect_uri": asked.redirect_uri,
            "scope": asked.scope,
            "nonce": asked.nonce,
            "challenge": asked.challenge,
        }
        code = await self._login.states.keep("code", said, CODE_S)
        return self._back(browser, asked.redirect_uri, asked.state, {"code": code})

    def _back(self, browser: Browser, redirect_uri: str, state: str, said: Mapping[str, str]) -> Response:
        given = {**said, "iss": self._login.issuer, **({"state": state} if state else {})}
        return browser.to(redirect_uri + ("&" if urlsplit(redirect_uri).query else "?") + urlencode(given))


def _read(client: StaticClient, query: Mapping[str, str]) -> Asked | str:
    """What is asked for, or the error's code."""
    if query.get("response_type") != "code":
        return "unsupported_response_type"
    if "request" in query or "request_uri" in query:
        return "request_not_supported"
    challenge = query.get("code_challenge", "")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        return "invalid_request"
    state, nonce = query.get("state", ""), query.get("nonce", "")
    if len(state) > 1024 or len(nonce) > 1024 or query.get("response_mode", "query") != "query":
        return "invalid_request"
    scope = " ".join(one for one in SCOPES if one in query.get("scope", "").split())
    return Asked(client, query["redirect_uri"], scope, state, nonce, challenge, query.get("prompt", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
