"""Turning the second factor on and off."""

from __future__ import annotations

from dataclasses import replace

import pyotp
import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.factor import accepted_step, recovery_codes
from faasioflex.identity.issuer.web.page import Browser, Field, Page
from faasioflex.identity.issuer.web.sign_in import SignedIn, SignIn
from faasioflex.model.errors import RateLimited
from faasioflex.model.login import Account

ENROL_S = 900.0


class SecondFactorPage:
    def __init__(self, login: EmbeddedLogin, sign_in: SignIn) -> None:
        self._login = login
        self._sign_in = sign_in

    async def page(self, request: Request) -> Response:
        browser = Browser(request, self._login.issuer)
        held = await self._sign_in.session(browser)
        if request.method != "POST":
            return browser.show(await self._page(browser, held.account) if held else self._sign_in.first(browser))
        form = await browser.form()
        if held is None:
            found = await self._sign_in.advance(browser, form)
            return browser.show(await self._page(browser, found.account) if isinstance(found, SignedIn) else found)
        if held.account.totp:
            return browser.show(await self._off(browser, held.account, form.get("otp", "")))
        return browser.show(await self._on(browser, held.account, form))

    async def _page(self, browser: Browser, account: Account, error: str = "") -> Page:
        fields = (Field("otp", browser.text("otp"), autocomplete="one-time-code"),)
        title, status = browser.text("totp"), 400 if error else 200
        if account.totp:
            buttons = (("off", browser.text("totp_off")),)
            return Page(title, (browser.text("totp_on"),), error, fields, buttons, status=status)
        secret = pyotp.random_base32()
        said = {"subject": account.subject, "sealed": self._login.factor.seal(secret)}
        step = await self._login.states.keep("enrol", said, ENROL_S)
        uri = pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name="FaaSioFlex")
        svg = Markup(segno.make(uri).svg_inline(scale=4))  # noqa: S704 - its own drawing, of numbers
        texts = (browser.text("totp_text", secret=secret),)
        buttons = (("on", browser.text("send")),)
        return Page(title, texts, error, fields, buttons, hidden={"step": step}, svg=svg, status=status)

    async def _on(self, browser: Browser, account: Account, form: dict[str, str]) -> Page:
        login = self._login
        said = await login.states.take("enrol", form.get("step", ""))
        if said is None or said["subject"] != account.subject:
            return await self._page(browser, account, browser.text("over"))
        step = accepted_step(login.factor.opened(said["sealed"]), form.get("otp", "").replace(" ", ""), login.clock())
        if step is None:
            return await self._page(browser, account, browser.text("otp_wrong"))
        codes, hashes = recovery_codes()
        await login.accounts.change(
            account.subject, lambda held: replace(held, totp=said["sealed"], totp_step=step, recovery=hashes)
        )
        return Page(browser.text("totp_on"), (browser.text("recovery"),), codes=tuple(codes))

    async def _off(self, browser: Browser, account: Account, code: str) -> Page:
        login = self._login
        try:
            tried = login.throttle.begin(account.email, browser.address)
        except RateLimited as error:
            text = browser.text("slow", seconds=error.retry_after_s or 1)
            return Page(browser.text("totp"), (text,), status=429)
        if login.factor.checked(account, code, login.clock()) is None:
            return await self._page(browser, account, browser.text("otp_wrong"))
        login.throttle.held(tried)
        await login.accounts.change(account.subject, lambda held: replace(held, totp="", totp_step=0, recovery=()))
        return Page(browser.text("done"), (browser.text("device_done"),))
