"""The port of the token endpoint: what a login plugs into it.

``/oidc/token`` reads the form, authenticates the client and asks the grant of that ``grant_type``. The token service brings
``refresh_token`` and token exchange; the embedded issuer adds authorization code, device code and client credentials.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from faasioflex.model.identity import RefreshFamily

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105
REFRESH = "refresh_token"
TokenAnswer = Mapping[str, object]
"""The JSON of RFC 6749, 5.1."""


class OAuthError(Exception):
    """As RFC 6749, 5.2 writes it: ``{"error", "error_description"}``. 401 is for a client that does not prove itself."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class Client:
    """``first_party``: its access tokens are for this platform; others get tokens for themselves only."""

    client_id: str
    name: str
    public: bool
    first_party: bool


@dataclass(frozen=True)
class TokenRequest:
    """A request whose client has proved itself. ``form``: every parameter that was given once, without the client's secret."""

    grant_type: str
    client: Client
    form: Mapping[str, str] = field(repr=False)
    now: float

    def required(self, name: str) -> str:
        """Raises: OAuthError."""
        value = self.form.get(name)
        if not value:
            raise OAuthError("invalid_request", f"The parameter {name} is missing")
        return value


Grant = Callable[[TokenRequest], Awaitable[TokenAnswer]]
"""Raises: OAuthError; NotAuthenticated is answered as ``invalid_grant``, Unavailable as 503."""


class Clients(Protocol):
    """Whoever knows clients beside the platform's own (``ffx-cli``, ``ffx-console``)."""

    async def client(self, client_id: str, secret: str | None) -> Client | None:
        """None where it is unknown. Raises: OAuthError ``invalid_client`` (401) where a secret is missing, wrong or too much."""


class Refreshed(Protocol):
    """Answers a refresh of a client that is not first-party."""

    async def __call__(self, request: TokenRequest, family: RefreshFamily) -> TokenAnswer:
        """What comes beside the access and refresh token, which the token service makes."""


@dataclass(frozen=True)
class Plug:
    """What a login adds to the token service. ``discovery``: fields for the metadata document, read at every request."""

    grants: Mapping[str, Grant] = field(default_factory=dict)
    clients: Clients | None = None
    discovery: Callable[[], Mapping[str, object]] = dict
    refreshed: Refreshed | None = None


FIRST_PARTY = {
    client_id: Client(client_id, name, public=True, first_party=True)
    for client_id, name in (("ffx-cli", "FaaSioFlex command line"), ("ffx-console", "FaaSioFlex console"))
}


async def authenticated(client_id: str, secret: str | None, others: Clients | None) -> Client:
    """Raises: OAuthError."""
    known = FIRST_PARTY.get(client_id)
    if known is not None:
        if secret:
            raise OAuthError("invalid_client", f"The client {client_id} is public: send no secret", 401)
        return known
    found = await others.client(client_id, secret) if others is not None else None
    if found is None:
        raise OAuthError("invalid_client", "There is no such client, or its secret is wrong", 401)
    return found
