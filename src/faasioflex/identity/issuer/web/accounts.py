"""Making an account and getting back into one. What these pages say tells nobody which addresses have accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from faasioflex.identity.issuer.accounts import checked_email, checked_name
from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.passwords import check
from faasioflex.identity.issuer.web.page import Browser, Field, Page
from faasioflex.identity.issuer.web.sign_in import SignIn, new_password
from faasioflex.model.errors import Conflict, Invalid, RateLimited
from faasioflex.model.identity import Role

RESET_S = 3600.0
JOIN_S = 24 * 3600.0


class AccountPages:
    def __init__(self, login: EmbeddedLogin, sign_in: SignIn) -> None:
        self._login = login
        self._sign_in = sign_in

    async def forgot(self, request: Request) -> Response:
        """A link to the address, if it has an account; the answer is the same if not."""
        browser = Browser(request, self._login.issuer)
        if request.method != "POST":
            return browser.show(self._address(browser, "reset"))
        return browser.show(await self._mailed(browser, "reset"))

    async def sign_up(self, request: Request) -> Response:
        """A link to the address: the account is made by whoever reads its mails."""
        browser = Browser(request, self._login.issuer)
        if self._login.sign_up != "open":
            return browser.show(Page(browser.text("sign_up"), (browser.text("closed"),), status=403))
        if request.method != "POST":
            return browser.show(self._address(browser, "sign_up"))
        return browser.show(await self._mailed(browser, "sign_up"))

    async def _mailed(self, browser: Browser, title: str) -> Page:
        login, form = self._login, await browser.form()
        email = form.get("email", "").strip()
        try:
            checked_email(email)
            login.throttle.begin(f"mail {email}", browser.address)  # each mail counts
        except (Invalid, RateLimited):
            return self._address(browser, title, browser.text("over"))
        account = await login.accounts.by_email(email)
        if title == "reset" and account is not None and not account.disabled:
            secret = await login.states.keep("reset", {"subject": account.subject}, RESET_S)
            text = f"{browser.text('reset')}:\n\n{login.issuer}/reset?code={secret}\n"
            login.send(account.email, browser.text("reset"), text)
        elif title == "sign_up" and account is None:
            said = {"email": email, "name": "", "role": "developer"}
            text = f"{browser.text('join')}:\n\n{login.issuer}/join?code={await login.states.keep('invitation', said, JOIN_S)}\n"
            login.send(email, browser.text("join"), text)
        return Page(browser.text(title), (browser.text("mail_sent"),))

    def _address(self, browser: Browser, title: str, error: str = "") -> Page:
        fields = (Field("email", browser.text("email"), "email", "", "username"),)
        buttons = (("send", browser.text("send")),)
        return Page(browser.text(title), (), error, fields, buttons, status=400 if error else 200)

    async def reset(self, request: Request) -> Response:
        browser, login = Browser(request, self._login.issuer), self._login
        entry = await login.states.find("reset", request.query_params.get("code", ""))
        if entry is None:
            return browser.show(Page(browser.text("reset"), (browser.text("over"),), status=400))
        if request.method != "POST":
            return browser.show(new_password(browser, browser.text("reset"), "", {}))
        account = await login.accounts.get(entry.value.said["subject"])
        error = await self._sign_in.choose(browser, account, await browser.form())
        if error:
            return browser.show(new_password(browser, browser.text("reset"), error, {}))
        return browser.show(Page(browser.text("done"), (browser.text("device_done"),)))

    async def join(self, request: Request) -> Response:
        browser, login = Browser(request, self._login.issuer), self._login
        code = request.query_params.get("code", "")
        entry = await login.states.find("invitation", code)
        if entry is None:
            return browser.show(Page(browser.text("join"), (browser.text("over"),), status=400))
        said = entry.value.said
        if request.method != "POST":
            return browser.show(self._join_page(browser, said["email"], said["name"]))
        form = await browser.form()
        password, name = form.get("new_password", ""), form.get("name", "")
        if password != form.get("again"):
            return browser.show(self._join_page(browser, said["email"], name, browser.text("differ")))
        try:
            check(password, said["email"])
            name = checked_name(name)
        except Invalid:
            return browser.show(self._join_page(browser, said["email"], name[:100], browser.text("weak")))
        hashed = await login.passwords.hashed(password)
        try:
            if not await login.states.end(entry):
                raise Conflict("Somebody has used this invitation")
            await login.accounts.create(said["email"], name, hashed, verified=True, role=cast(Role, said["role"]))
        except Conflict:
            return browser.show(Page(browser.text("join"), (browser.text("over"),), status=400))
        return browser.show(Page(browser.text("done"), (browser.text("device_done"),)))

    def _join_page(self, browser: Browser, email: str, name: str, error: str = "") -> Page:
        page = new_password(browser, browser.text("join"), error, {})
        fields = (Field("name", browser.text("name"), value=name, autocomplete="name"), *page.fields)
        return replace(page, texts=(email,), fields=fields)
