"""Logging in, page by page: password, second factor, a new password where one must be chosen."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.passwords import outdated
from faasioflex.identity.issuer.web.page import Browser, Field, Page
from faasioflex.model.errors import Invalid, NotFound, RateLimited, Unavailable
from faasioflex.model.login import Account

SESSION_S = 12 * 3600
STEP_S = 600.0
REFUSED_S = 0.25  # after the form came: longer than any comparison takes, so that its time tells nothing


@dataclass(frozen=True)
class SignedIn:
    account: Account
    auth_time: float


class SignIn:
    def __init__(self, login: EmbeddedLogin) -> None:
        self._login = login

    async def session(self, browser: Browser) -> SignedIn | None:
        """Who is logged in with this browser."""
        entry = await self._login.states.find("session", browser.cookie("session"))
        if entry is None:
            return None
        subject, auth_time = entry.value.said["subject"], float(entry.value.said["auth_time"])
        if auth_time < await self._login.tokens.cut(self._login.issuer, subject):
            return None
        try:
            account = await self._login.accounts.get(subject)
        except NotFound:
            return None
        return None if account.disabled else SignedIn(account, auth_time)

    async def end(self, browser: Browser) -> None:
        await self._login.states.forget("session", browser.cookie("session"))
        browser.set("session", "", 0)

    def first(self, browser: Browser, client: str = "", error: str = "", email: str = "", status: int = 200) -> Page:
        links = [("forgot", browser.text("forgot"))]
        if self._login.sign_up == "open":
            links.append(("signup", browser.text("sign_up")))
        return Page(
            browser.text("login"),
            (browser.text("to", client=client),) if client else (),
            error,
            (
                Field("email", browser.text("email"), "email", email, "username"),
                Field("password", browser.text("password"), "password", "", "current-password"),
            ),
            (("login", browser.text("login")),),
            tuple(links),
            status=status,
        )

    async def advance(self, browser: Browser, form: Mapping[str, str], client: str = "") -> Page | SignedIn:
        """What comes after a form. The session of the browser is always a new one. Raises: Unavailable."""
        try:
            if "step" in form:
                return await self._step(browser, form, client)
            return await self._password(browser, form, client)
        except RateLimited as error:
            seconds = error.retry_after_s or 1
            page = self.first(browser, client, browser.text("slow", seconds=seconds), form.get("email", "")[:256], 429)
            return replace(page, retry_after_s=seconds)

    async def _password(self, browser: Browser, form: Mapping[str, str], client: str) -> Page | SignedIn:
        login = self._login
        email, password = form.get("email", "").strip()[:256], form.get("password", "")
        tried = login.throttle.begin(email, browser.address)
        told_at = asyncio.get_running_loop().time() + REFUSED_S
        try:
            account = await login.accounts.by_email(email)
            held = await login.passwords.matches(account.password_hash if account is not None else None, password)
        except Unavailable:
            login.throttle.held(tried)
            raise
        if account is None or not held or account.disabled or not account.email_verified:
            await asyncio.sleep(told_at - asyncio.get_running_loop().time())
            return self.first(browser, client, browser.text("wrong"), email, 400)
        login.throttle.held(tried)
        if outdated(account.password_hash):
            account = await self._hashed_anew(account, password)
        return await self._after(browser, account, "password", client)

    async def _hashed_anew(self, account: Account, password: str) -> Account:
        hashed, known = await self._login.passwords.hashed(password), account.password_hash

        def make(held: Account) -> Account:
            return replace(held, password_hash=hashed) if held.password_hash == known else held

        return await self._login.accounts.change(account.subject, make)

    async def _after(self, browser: Browser, account: Account, done: str, client: str = "") -> Page | SignedIn:
        if account.totp and done == "password":
            return await self._otp_page(browser, account)
        if account.must_change:
            return await self._change_page(browser, account)
        self._login.throttle.succeeded(account.email)
        return await self._begin(browser, account) or self.first(browser, client, browser.text("over"), status=400)

    async def _begin(self, browser: Browser, account: Account) -> SignedIn | None:
        """A session. None where the account is not any more what was looked at: its password changed meanwhile."""
        login = self._login
        await self.end(browser)
        now = max(login.clock(), await login.tokens.cut(login.issuer, account.subject))
        said = {"subject": account.subject, "auth_time": str(now)}
        secret = await login.states.keep("session", said, SESSION_S)
        try:
            again = await login.accounts.get(account.subject)
        except NotFound:
            again = replace(account, disabled=True)
        if again.disabled or again.password_hash != account.password_hash:
            await login.states.forget("session", secret)
            return None
        browser.set("session", secret, SESSION_S)
        return SignedIn(account, now)

    async def _step(self, browser: Browser, form: Mapping[str, str], client: str) -> Page | SignedIn:
        login = self._login
        said = await login.states.take("step", form["step"])
        if said is None:
            return self.first(browser, client, browser.text("over"), status=400)
        try:
            account = await login.accounts.get(said["subject"])
        except NotFound:
            return self.first(browser, client, browser.text("over"), status=400)
        if account.disabled or said["of"] != _mark(account):
            return self.first(browser, client, browser.text("over"), status=400)
        if said["at"] == "otp":
            return await self._otp(browser, account, form.get("otp", "")[:64])
        return await self._change(browser, account, form)

    async def _otp(self, browser: Browser, account: Account, code: str) -> Page | SignedIn:
        login = self._login
        tried = login.throttle.begin(account.email, browser.address)
        if login.factor.checked(account, code, login.clock()) is None:
            return await self._otp_page(browser, account, browser.text("otp_wrong"))
        taken: list[bool] = []

        def make(held: Account) -> Account:
            again = login.factor.checked(held, code, login.clock())
            taken.append(again is not None)
            return again or held

        changed = await login.accounts.change(account.subject, make)
        if not taken[-1]:
            return await self._otp_page(browser, account, browser.text("otp_wrong"))
        login.throttle.held(tried)
        return await self._after(browser, changed, "otp")

    async def _change(self, browser: Browser, account: Account, form: Mapping[str, str]) -> Page | SignedIn:
        error = await self.choose(browser, account, form)
        if error:
            return await self._change_page(browser, account, error)
        changed = await self._login.accounts.get(account.subject)
        return await self._begin(browser, changed) or self.first(browser, error=browser.text("over"), status=400)

    async def choose(self, browser: Browser, account: Account, form: Mapping[str, str]) -> str:
        """Set the password of a form; what is wrong with it, else ""."""
        password = form.get("new_password", "")
        if password != form.get("again", ""):
            return browser.text("differ")
        if await self._login.passwords.matches(account.password_hash, password):
            return browser.text("weak")
        try:
            await self._login.set_password(account, password)
        except Invalid:
            return browser.text("weak")
        return ""

    async def _otp_page(self, browser: Browser, account: Account, error: str = "") -> Page:
        step = await self._login.states.keep("step", _step_of(account, "otp"), STEP_S)
        fields = (Field("otp", browser.text("otp"), autocomplete="one-time-code"),)
        buttons = (("login", browser.text("send")),)
        title = browser.text("otp_title")
        return Page(title, (), error, fields, buttons, hidden={"step": step}, status=400 if error else 200)

    async def _change_page(self, browser: Browser, account: Account, error: str = "") -> Page:
        step = await self._login.states.keep("step", _step_of(account, "change"), STEP_S)
        return new_password(browser, browser.text("change"), error, {"step": step})


def _step_of(account: Account, at: str) -> dict[str, str]:
    return {"subject": account.subject, "at": at, "of": _mark(account)}


def _mark(account: Account) -> str:
    """Another one when the password has changed."""
    return hashlib.sha256(account.password_hash.encode()).hexdigest()


def new_password(browser: Browser, title: str, error: str, hidden: Mapping[str, str]) -> Page:
    fields = (
        Field("new_password", browser.text("new_password"), "password", "", "new-password"),
        Field("again", browser.text("again"), "password", "", "new-password"),
    )
    buttons = (("login", browser.text("send")),)
    return Page(title, (), error, fields, buttons, hidden=hidden, status=400 if error else 200)
