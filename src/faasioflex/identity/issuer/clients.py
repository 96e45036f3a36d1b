"""Who may ask for logins: the platform's own clients, and those of the static file."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from faasioflex.identity.tokens.grants import FIRST_PARTY, Client, OAuthError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LONGEST_REDIRECT = 2048


@dataclass(frozen=True)
class StaticClient:
    """``redirects``: exact addresses; of loopback ones any port holds (RFC 8252, 7.3). ``secret_hash``: sha256, of a random secret."""

    client: Client
    redirects: tuple[str, ...]
    secret_hash: str | None = field(default=None, repr=False)

    def redirect(self, given: str) -> bool:
        return len(given) <= LONGEST_REDIRECT and any(_same(one, given) for one in self.redirects)


class StaticClients:
    """``Clients`` of the token endpoint."""

    def __init__(self, issuer: str, given: Mapping[str, StaticClient]) -> None:
        console = issuer.removesuffix("/oidc") + "/console/callback"
        redirects = {"ffx-cli": ("http://127.0.0.1/callback", "http://[::1]/callback"), "ffx-console": (console,)}
        own = {name: StaticClient(client, redirects[name]) for name, client in FIRST_PARTY.items()}
        self._known = {**given, **own}

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._known)

    def find(self, client_id: str) -> StaticClient | None:
        return self._known.get(client_id)

    async def client(self, client_id: str, secret: str | None) -> Client | None:
        found = self._known.get(client_id)
        if found is None:
            return None
        if found.secret_hash is None:
            if secret:
                raise OAuthError("invalid_client", "The client is public: send no secret", 401)
        elif not hmac.compare_digest(found.secret_hash, hashlib.sha256((secret or "").encode()).hexdigest()):
            raise OAuthError("invalid_client", "There is no such client, or its secret is wrong", 401)
        return found.client


def _same(registered: str, given: str) -> bool:
    if registered == given:
        return True
    try:
        ours, theirs = urlsplit(registered), urlsplit(given)
        _ = theirs.port
    except ValueError:
        return False
    near = ours.scheme == "http" and ours.hostname in LOOPBACK and ours.port is None
    same = (ours.hostname, ours.path, ours.query) == (theirs.hostname, theirs.path, theirs.query)
    plain = theirs.scheme == "http" and "@" not in theirs.netloc and "#" not in given and given.isprintable()
    return near and same and plain and "\\" not in given
