"""What the command says to token endpoints: forms over httpx, and their answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from faasioflex.cli.signing_in.stored import CLIENT, Tokens
from faasioflex.client.errors import Unreachable, Unreadable
from faasioflex.client.wire import Target
from faasioflex.model.errors import NotAuthenticated, Unavailable

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - its name
CODE = "authorization_code"


class Refused(NotAuthenticated):
    """``error``: the word of RFC 6749, 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description or error)
        self.error = error


class Posting:
    """Sends forms where ``target`` trusts the certificate; nothing of what they hold is in an error."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def get(self, url: str) -> dict[str, Any]:
        """Raises: Unreachable, Unreadable."""
        return self._answer("GET", url, None)

    def post(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Raises: Refused, Unreachable, Unreadable, Unavailable."""
        return self._answer("POST", url, form)

    def _answer(self, method: str, url: str, form: Mapping[str, str] | None) -> dict[str, Any]:
        settings = Target(url, ca_file=self._target.ca_file).settings()
        try:
            with httpx.Client(**settings) as client:
                answer = client.request(method, url, data=None if form is None else dict(form))
        except httpx.TransportError as error:
            raise Unreachable(f"nothing answers at {httpx.URL(url).copy_with(query=None)}: {error}") from error
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unreadable(
                f"the answer of {httpx.URL(url).copy_with(query=None)} is not JSON: is the URL a platform's?"
            )
        if answer.status_code >= 500:
            raise Unavailable(str(document.get("detail") or document.get("error_description") or "the login is away"))
        if answer.status_code >= 400:
            error_name = str(document.get("error") or document.get("code") or answer.status_code)
            raise Refused(error_name, str(document.get("error_description") or document.get("detail") or ""))
        return document


@dataclass(frozen=True)
class Endpoints:
    """Where one logs in. ``elsewhere``: the platform takes that issuer's ID token in exchange; ``client_id`` is ours there."""

    authorization: str | None
    device: str | None
    token: str
    elsewhere: bool
    client_id: str = CLIENT
    scopes: str = "openid profile email offline_access"


def discover(target: Target) -> Endpoints:
    """From the platform's own metadata document, or where it names another login from that one's."""
    posting = Posting(target)
    own = posting.get(f"{str(target.base).rstrip('/')}/oidc/.well-known/openid-configuration")
    login = own.get("ffx_login")
    if not isinstance(login, dict):
        return _endpoints(own, elsewhere=False)
    other = posting.get(f"{str(login['issuer']).rstrip('/')}/.well-known/openid-configuration")
    scopes = str(login.get("scopes") or "openid profile email groups")
    return _endpoints(other, elsewhere=True, client_id=str(login.get("client_id") or CLIENT), scopes=scopes)


def _endpoints(document: Mapping[str, Any], **more: Any) -> Endpoints:
    if not isinstance(document.get("token_endpoint"), str):
        raise Unreadable("the login's discovery document names no token_endpoint: is the URL a platform's?")
    authorization, device = document.get("authorization_endpoint"), document.get("device_authorization_endpoint")
    for url in (authorization, device, document["token_endpoint"]):
        if url is not None and not str(url).startswith(("https://", "http://")):
            raise Unreadable("the login's discovery document names an endpoint that is no http address")
    return Endpoints(authorization, device, document["token_endpoint"], **more)


class TokenEndpoint:
    """The platform's token service, which is always at {url}/oidc."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._posting = Posting(target)
        self._base = f"{str(target.base).rstrip('/')}/oidc"

    def exchange(self, id_token: str) -> Tokens:
        """RFC 8693. Raises: Refused."""
        form = {"grant_type": EXCHANGE, "client_id": CLIENT, "subject_token": id_token, "subject_token_type": ID_TOKEN}
        return self.tokens(self._posting.post(f"{self._base}/token", form))

    def refresh(self, refresh_token: str) -> Tokens:
        """Raises: Refused."""
        form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": refresh_token}
        return self.tokens(self._posting.post(f"{self._base}/token", form), refresh_token)

    def revoke(self, token: str) -> None:
        """RFC 7009, which answers nothing to read. Raises: Unreachable."""
        settings = Target(self._target.url, ca_file=self._target.ca_file).settings()
        try:
            with httpx.Client(**settings) as client:
                client.post(f"{self._base}/revoke", data={"client_id": CLIENT, "token": token})
        except httpx.TransportError as error:
            raise self._target.explain(error) from error

    def tokens(self, answer: Mapping[str, Any], refresh_token: str | None = None) -> Tokens:
        """Raises: Unreadable."""
        access = answer.get("access_token")
        if not isinstance(access, str):
            raise Unreadable("the token endpoint's answer has no access_token")
        expires_at = time.time() + float(answer.get("expires_in") or 300)
        return Tokens(self._target.url, access, answer.get("refresh_token") or refresh_token, expires_at)


def taken(target: Target, endpoints: Endpoints, answer: Mapping[str, Any]) -> Tokens:
    """The platform's tokens out of the login's answer."""
    if not endpoints.elsewhere:
        return TokenEndpoint(target).tokens(answer)
    id_token = answer.get("id_token")
    if not isinstance(id_token, str):
        raise Unreadable("the login's answer has no id_token")
    return TokenEndpoint(target).exchange(id_token)
