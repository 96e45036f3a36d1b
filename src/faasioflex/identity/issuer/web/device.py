"""RFC 8628: a device shows a code, its person enters it here."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.grants import INTERVAL_S, SCOPES
from faasioflex.identity.issuer.web.page import Browser, Field, Page, posted
from faasioflex.identity.issuer.web.sign_in import SignedIn, SignIn
from faasioflex.model.errors import BadRequest, PayloadTooLarge, RateLimited

LIVES_S = 600
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no words, nothing that looks like something else


class Device:
    def __init__(self, login: EmbeddedLogin, sign_in: SignIn) -> None:
        self._login = login
        self._sign_in = sign_in

    async def code(self, request: Request) -> Response:
        try:
            form = await posted(request)
        except (BadRequest, PayloadTooLarge):
            return JSONResponse({"error": "invalid_request"}, 400)
        client = self._login.clients.find(form.get("client_id", ""))
        if client is None or not client.client.public:
            return JSONResponse({"error": "invalid_client"}, 401)
        scope = " ".join(one for one in SCOPES if one in form.get("scope", "").split())
        user_code = "".join(secrets.choice(LETTERS) for _ in range(8))
        said = {
            "client_id": client.client.client_id,
            "scope": scope,
            "state": "asked",
            "asked": "0",
            "interval": str(INTERVAL_S),
        }
        device_code = await self._login.states.keep("device", said, LIVES_S)
        await self._login.states.keep("user", {"device": device_code}, LIVES_S, user_code)
        url, shown = f"{self._login.issuer}/device", f"{user_code[:4]}-{user_code[4:]}"
        answer = {
            "device_code": device_code,
            "user_code": shown,
            "verification_uri": url,
            "verification_uri_complete": f"{url}?{urlencode({'user_code': shown})}",
            "expires_in": LIVES_S,
            "interval": INTERVAL_S,
        }
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def page(self, request: Request) -> Response:
        browser = Browser(request, self._login.issuer)
        held = await self._sign_in.session(browser)
        if request.method != "POST":
            return browser.show(self._ask(browser) if held is not None else self._sign_in.first(browser))
        form = await browser.form()
        if held is None:
            found = await self._sign_in.advance(browser, form)
            return browser.show(self._ask(browser) if isinstance(found, SignedIn) else found)
        try:
            return browser.show(await self._decide(browser, held, form))
        except RateLimited as error:
            return browser.show(self._ask(browser, browser.text("slow", seconds=error.retry_after_s or 1)))

    async def _decide(self, browser: Browser, held: SignedIn, form: dict[str, str]) -> Page:
        states, account = self._login.states, held.account
        tried = self._login.throttle.begin(f"device {account.subject}", browser.address)
        code = "".join(one for one in form.get("user_code", "").upper()[:40] if one in LETTERS)
        known = await states.find("user", code)
        entry = await states.find("device", known.value.said["device"]) if known is not None else None
        if known is None or entry is None:
            return self._ask(browser, browser.text("device_wrong"))
        self._login.throttle.held(tried)
        said = entry.value.said
        if form.get("do") not in {"allow", "deny"}:
            client = self._login.clients.find(said["client_id"])
            text = browser.text("device_ask", client=client.client.name if client is not None else said["client_id"])
            buttons = (("allow", browser.text("allow")), ("deny", browser.text("deny")))
            return Page(browser.text("device"), (account.email, text), buttons=buttons, hidden={"user_code": code})
        state = "allowed" if form["do"] == "allow" else "denied"
        more = {"state": state, "subject": account.subject, "auth_time": str(held.auth_time)}
        await states.end(known)
        if said["state"] != "asked" or not await states.change(entry, {**said, **more}):
            return self._ask(browser, browser.text("over"))
        return Page(browser.text("done"), (browser.text("device_done"),))

    def _ask(self, browser: Browser, error: str = "") -> Page:
        code = browser.request.query_params.get("user_code", "")[:20]
        fields = (Field("user_code", browser.text("device_code"), value=code),)
        buttons = (("send", browser.text("send")),)
        return Page(browser.text("device"), (), error, fields, buttons, status=400 if error else 200)
