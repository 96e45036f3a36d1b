"""The token service: the token endpoint of the issuer, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.identity.claims import Claims
from faasioflex.identity.directory import Directory
from faasioflex.identity.people import People
from faasioflex.identity.port import Identity, Login
from faasioflex.identity.principal import USER_PREFIX
from faasioflex.identity.tokens.exchange import ACCESS_TOKEN, exchanged
from faasioflex.identity.tokens.grants import (
    REFRESH,
    TOKEN_EXCHANGE,
    Client,
    OAuthError,
    Plug,
    TokenAnswer,
    TokenRequest,
    authenticated,
)
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.identity.tokens.long_lived import LONGEST_S
from faasioflex.identity.tokens.mint import Mint, Minted
from faasioflex.identity.tokens.refresh import RefreshTokens
from faasioflex.identity.tokens.revocations import Revocations
from faasioflex.identity.tokens.verifier import LEEWAY_S, Verifier
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.identity import LOCAL_ADMIN, Role, TokenRecord, UserRecord


class TokenService:
    """``plug`` before ``start``: what the embedded issuer adds. ``login``: whose ID tokens are exchanged."""

    def __init__(
        self,
        bus: Bus,
        *,
        directory: Directory,
        people: People,
        keys: SigningKeys,
        mint: Mint,
        verifier: Verifier,
        clock: Callable[[], float],
        login: Login | None = None,
    ) -> None:
        self.keys = keys
        self.mint = mint
        self.revocations = Revocations(bus, clock)
        self.refresh_tokens = RefreshTokens(bus, self.revocations)
        self._users: Bucket[UserRecord] = bus.bucket(buckets.USERS.name, UserRecord)
        self._tokens: Bucket[TokenRecord] = bus.bucket(buckets.TOKENS.name, TokenRecord)
        self._directory = directory
        self._people = people
        self._verifier = verifier
        self._clock = clock
        self._login = login
        self._plug = Plug()

    @property
    def issuer(self) -> str:
        return self.mint.issuer

    def plug(self, plug: Plug) -> None:
        self._plug = plug

    async def start(self) -> None:
        """See that there is a key to sign with. Raises: Unavailable."""
        await asyncio.to_thread(self.keys.ensure)

    # the endpoint

    def metadata(self) -> dict[str, object]:
        """Of ``/.well-known/openid-configuration`` and ``oauth-authorization-server``."""
        methods = ["none"] if self._plug.clients is None else ["none", "client_secret_basic", "client_secret_post"]
        grants = [REFRESH, *([TOKEN_EXCHANGE] if self._login is not None else []), *self._plug.grants]
        own = {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/token",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "jwks_uri": f"{self.issuer}/jwks",
            "grant_types_supported": grants,
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return {**own, **self._plug.discovery()}

    async def token(self, client_id: str, secret: str | None, form: Mapping[str, str]) -> TokenAnswer:
        """Raises: OAuthError, Unavailable."""
        grant_type = form.get("grant_type", "")
        client = await authenticated(client_id, secret, self._plug.clients)
        request = TokenRequest(grant_type, client, form, self._clock())
        try:
            if grant_type == REFRESH:
                return await self._refresh(request)
            if grant_type == TOKEN_EXCHANGE:
                identity = await exchanged(self._login, request)
                answer = await self.sign_in(identity, client, request.now)
                return {**answer, "issued_token_type": ACCESS_TOKEN}
            grant = self._plug.grants.get(grant_type)
            if grant is None:
                raise OAuthError("unsupported_grant_type", "There is no such grant here: see the metadata document")
            return await grant(request)
        except NotAuthenticated as error:
            raise OAuthError("invalid_grant", error.message) from None

    async def revoke(self, client_id: str, secret: str | None, token: str) -> None:
        """RFC 7009: also a token that is none is answered with success. Raises: OAuthError, Unavailable."""
        client = await authenticated(client_id, secret, self._plug.clients)
        if await self.refresh_tokens.end_of_token(token, client.client_id) or not client.first_party:
            return
        try:
            claims = self._verifier.verify(token)
        except NotAuthenticated:
            return
        if claims.source == "platform":
            await self._end(claims)

    async def _end(self, claims: Claims) -> None:
        if claims.kind in ("personal", "service"):
            await self._tokens.delete(claims.pid)
        else:
            await self.revocations.revoke_jti(claims.jti, claims.expires_at)

    def expires_at(self, token: str) -> float:
        """Of a token that is verified. Raises: NotAuthenticated."""
        return self._verifier.verify(token).expires_at

    async def rotate(self, *, drop: bool = False) -> str:
        """Make another key; it signs when everybody has it. Returns its id.

        ``drop``: the others go at once, and every token ends, for a key that somebody else may have.
        """
        return await asyncio.to_thread(self.keys.rotate, LONGEST_S + LEEWAY_S, drop=drop)

    # for a login

    async def sign_in(
        self,
        identity: Identity,
        client: Client,
        now: float,
        *,
        role: Role | None = None,
        scope: str = "",
        said: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        """The tokens of a first-party client for somebody who logged in just now; their record is made at the first time.

        Raises: NotAuthenticated where the account is disabled, or the login is from before a revocation; Unavailable.
        """
        uid = self._people.uid(identity.issuer, identity.subject)
        cut = await self.revocations.cut(uid)
        if identity.issued_at < cut:
            raise NotAuthenticated("All logins of this account from before were ended: log in again")
        now = max(now, cut)  # a cut-off is a whole second: who logs in anew in that second is after it
        user = await self._people.provision(identity, role)
        await self._directory.learn(user.uid)
        access = self._access(user, client, now)
        refresh = await self.refresh_tokens.begin(
            user.uid, client.client_id, now, scope=scope, access=access, said=said
        )
        return self._answer(access.token, access.expires_at - now, refresh, scope)

    async def _refresh(self, request: TokenRequest) -> TokenAnswer:
        entry = await self.refresh_tokens.holding(
            request.required("refresh_token"), request.client.client_id, request.now
        )
        family = entry.value
        wanted = request.form.get("scope")
        if wanted is not None and not set(wanted.split()) <= set(family.scope.split()):
            raise OAuthError("invalid_scope", "A refresh gives no more than the login gave")
        found = await self._users.get(family.uid)
        if family.uid == LOCAL_ADMIN or found is None or found.value.disabled:
            await self.refresh_tokens.end(entry)
            raise OAuthError("invalid_grant", "This account is disabled or gone")
        user = found.value
        more: TokenAnswer = {}
        if not request.client.first_party:
            if self._plug.refreshed is None:
                raise OAuthError("unauthorized_client", "This client has no refresh tokens")
            more = await self._plug.refreshed(request, family)
        now = max(request.now, family.issued_at)
        access = self._access(user, request.client, now)
        refresh = await self.refresh_tokens.turn(entry, now, access)
        return {**self._answer(access.token, access.expires_at - now, refresh, family.scope), **more}

    def _access(self, user: UserRecord, client: Client, now: float) -> Minted:
        """Of a client that is not ours: for itself, so that the platform does not take it, and without groups."""
        if not client.first_party:
            return self.mint.access(user, (), now, audience=client.client_id)
        return self.mint.access(user, self._directory.groups_of(user.uid, user.claimed_groups), now)

    @staticmethod
    def _answer(token: str, lives_s: float, refresh: str, scope: str) -> dict[str, object]:
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(lives_s),
            "refresh_token": refresh,
            "scope": scope,
        }

    async def person(self, uid: str, jti: str, issued_at: float) -> UserRecord:
        """Of a token that is verified but for revocation. Raises: NotAuthenticated (also where they are disabled)."""
        if await self.revocations.is_void(uid, jti, issued_at):
            raise NotAuthenticated("The token was revoked")
        found = await self._users.get(uid) if uid.startswith(USER_PREFIX) else None
        if found is None or found.value.disabled:
            raise NotAuthenticated("This account is disabled or gone")
        return found.value

    async def cut(self, issuer: str, subject: str) -> float:
        """Logins of that person from before this time have ended; 0.0 where none were."""
        return await self.revocations.cut(self._people.uid(issuer, subject))

    async def end_logins(self, issuer: str, subject: str) -> None:
        """As :meth:`end_all`, of somebody as their login knows them."""
        await self.end_all(self._people.uid(issuer, subject))

    async def end_all(self, uid: str) -> None:
        """Void every access token and login of a person: disabled, password changed, "log out everywhere"."""
        await self.revocations.cut_off(uid)
        await self.refresh_tokens.end_all(uid)
