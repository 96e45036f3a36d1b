"""Logging in as a browser does, without one: authorization code with PKCE through the pages of a real login."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

MOST_PAGES = 12


class LoginRefused(Exception):
    """The login showed its form again, or sent an error back."""


@dataclass
class Form:
    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def fill(self, email: str, password: str) -> dict[str, str]:
        said = {"password": password, "text": email, "email": email}
        return {name: said.get(self.kinds[name], value) for name, value in self.values.items()}

    @property
    def asks(self) -> bool:
        return "password" in self.kinds.values()


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.found and given.get("name") and tag in {"input", "button"}:
            kind = given.get("type", "text" if tag == "input" else "submit").lower()
            if kind != "submit" or "submit" not in self.found[-1].kinds.values():
                self.found[-1].values[given["name"]] = given.get("value", "")
                self.found[-1].kinds[given["name"]] = kind


@dataclass(frozen=True)
class CodeFlow:
    """``discovery``: of the login. ``step`` chooses among several connectors: part of the link's address."""

    discovery: Mapping[str, Any]
    client_id: str
    redirect_uri: str
    scope: str = "openid profile email groups"
    step: str = ""

    async def tokens(self, email: str, password: str, *, verifier: str | None = None) -> dict[str, Any]:
        """What the token endpoint answers. ``verifier``: another than was announced. Raises: LoginRefused."""
        made = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(made.encode()).digest()).rstrip(b"=").decode()
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=30) as client:
            code = await self.code(client, email, password, challenge)
            answer = await client.post(
                str(self.discovery["token_endpoint"]),
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "client_id": self.client_id,
                    "redirect_uri": self.redirect_uri,
                    "code_verifier": verifier or made,
                },
            )
        if answer.status_code != 200:
            raise LoginRefused(answer.text)
        found: dict[str, Any] = answer.json()
        return found

    async def code(self, client: httpx.AsyncClient, email: str, password: str, challenge: str) -> str:
        state = secrets.token_urlsafe(16)
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        answer = await client.get(str(self.discovery["authorization_endpoint"]), params=parameters)
        asked = False
        for _ in range(MOST_PAGES):
            if answer.is_redirect:
                where = urljoin(str(answer.url), answer.headers["location"])
                if where.startswith(self.redirect_uri):
                    return self._code(where, state)
                answer = await client.get(where)
                continue
            assert answer.status_code in {200, 400, 401, 403, 429}, answer.text
            answer, asked = await self._page(client, answer, email, password, asked)
        raise LoginRefused("the pages do not end")

    async def _page(
        self, client: httpx.AsyncClient, page: httpx.Response, email: str, password: str, asked: bool
    ) -> tuple[httpx.Response, bool]:
        forms = _Forms()
        forms.feed(page.text)
        form = next((one for one in forms.found if one.asks), None) or next(iter(forms.found), None)
        if form is None:
            link = next((piece for piece in page.text.split('"') if self.step and self.step in piece), None)
            if link is None:
                raise LoginRefused(page.text[:2000])
            return await client.get(urljoin(str(page.url), html.unescape(link))), asked
        if form.asks and asked:
            raise LoginRefused("the login asks again")
        target = urljoin(str(page.url), form.action or str(page.url))
        values = form.fill(email, password)
        if form.method == "post":
            return await client.post(target, data=values, headers={"origin": _origin(target)}), asked or form.asks
        return await client.get(target, params=values), asked or form.asks

    @staticmethod
    def _code(where: str, state: str) -> str:
        said = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
        if "code" not in said:
            raise LoginRefused(str(said))
        assert said["state"] == state
        return said["code"]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
