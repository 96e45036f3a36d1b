"""What the embedded login adds to the token endpoint."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from faasioflex.identity.issuer.embedded import EmbeddedLogin, identity_at
from faasioflex.identity.tokens.grants import Client, OAuthError, Plug, TokenAnswer, TokenRequest
from faasioflex.model.errors import NotFound
from faasioflex.model.identity import RefreshFamily
from faasioflex.model.login import Account

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ("openid", "profile", "email", "offline_access", "groups")
ID_TOKEN_S = 600.0
INTERVAL_S = 5
SPENT_S = 600.0  # a code that comes again until then ends what it gave


class Grants:
    def __init__(self, login: EmbeddedLogin) -> None:
        self._login = login

    def plug(self) -> Plug:
        return Plug(
            {
                "authorization_code": self.by_code,
                DEVICE_CODE: self.by_device,
                "client_credentials": self.by_credentials,
            },
            self._login.clients,
            self._discovery,
            self.refreshed,
        )

    def _discovery(self) -> Mapping[str, object]:
        issuer = self._login.issuer
        return {
            "authorization_endpoint": f"{issuer}/authorize",
            "device_authorization_endpoint": f"{issuer}/device/code",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "end_session_endpoint": f"{issuer}/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": list(SCOPES),
            "claims_supported": ["sub", "email", "email_verified", "name", "auth_time", "nonce"],
            "ui_locales_supported": ["en", "es"],
            "authorization_response_iss_parameter_supported": True,
        }

    async def by_code(self, request: TokenRequest) -> TokenAnswer:
        code = request.required("code")
        said = await self._login.states.take("code", code)
        if said is None:
            await self._end_of_replayed(code, request.client)
            raise OAuthError("invalid_grant", "The code does not hold, or was used before: log in again")
        if said["client_id"] != request.client.client_id:
            raise OAuthError("invalid_grant", "The code is of another client")
        if said["redirect_uri"] != request.form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "redirect_uri is not the one that the code was sent to")
        if not _proves(request.form.get("code_verifier", ""), said["challenge"]):
            raise OAuthError("invalid_grant", "code_verifier does not fit the code's challenge")
        answer = await self._answer(request, said)
        if "refresh_token" in answer:
            await self._login.states.keep("spent", {"token": str(answer["refresh_token"])}, SPENT_S, code)
        return answer

    async def _end_of_replayed(self, code: str, client: Client) -> None:
        """RFC 6749, 4.1.2: whoever else had the code has what came of it no more."""
        spent = await self._login.states.take("spent", code)
        if spent is not None:
            await self._login.tokens.refresh_tokens.end_of_token(spent["token"], client.client_id)

    async def by_device(self, request: TokenRequest) -> TokenAnswer:
        states, now = self._login.states, request.now
        entry = await states.find("device", request.required("device_code"))
        if entry is None or entry.value.said["client_id"] != request.client.client_id:
            raise OAuthError("expired_token", "The device code does not hold, or not any more: ask for another one")
        said = entry.value.said
        if said["state"] == "denied":
            await states.end(entry)
            raise OAuthError("access_denied", "The login was refused")
        if said["state"] == "allowed":
            if not await states.end(entry):
                raise OAuthError("invalid_grant", "The device code was used before")
            return await self._answer(request, said)
        interval, asked = float(said["interval"]), float(said["asked"])
        fast = now - asked < interval - 0.5
        interval += 5 if fast else 0
        await states.change(entry, {**said, "asked": str(now), "interval": str(interval)})
        if fast:
            raise OAuthError("slow_down", f"Ask every {interval:.0f} s")
        raise OAuthError("authorization_pending", "Nobody has entered the code yet")

    async def by_credentials(self, request: TokenRequest) -> TokenAnswer:
        client = request.client
        if client.public:
            raise OAuthError("unauthorized_client", "Only a client with a secret acts for itself")
        minted = self._login.tokens.mint.client(client.client_id, request.now)
        return {
            "access_token": minted.token,
            "token_type": "Bearer",
            "expires_in": int(minted.expires_at - request.now),
        }

    async def refreshed(self, request: TokenRequest, family: RefreshFamily) -> TokenAnswer:
        account = await self._account(family.said.get("subject", ""))
        return self._beside(account, request, family.scope, family.said)

    async def _answer(self, request: TokenRequest, said: Mapping[str, str]) -> dict[str, object]:
        account, client = await self._account(said["subject"]), request.client
        identity = identity_at(self._login.issuer, account, client.client_id, float(said["auth_time"]))
        kept = {"subject": account.subject, "auth_time": said["auth_time"]}
        answer = await self._login.tokens.sign_in(
            identity, client, request.now, role=account.role, scope=said["scope"], said=kept
        )
        return {**answer, **self._beside(account, request, said["scope"], said)}

    def _beside(self, account: Account, request: TokenRequest, scope: str, said: Mapping[str, str]) -> TokenAnswer:
        if "openid" not in scope.split():
            return {}
        return {"id_token": self._id_token(account, request.client.client_id, said, request.now)}

    async def _account(self, subject: str) -> Account:
        try:
            account = await self._login.accounts.get(subject)
        except NotFound:
            account = None
        if account is None or account.disabled:
            raise OAuthError("invalid_grant", "This account is disabled or gone")
        return account

    def _id_token(self, account: Account, client_id: str, said: Mapping[str, str], now: float) -> str:
        claims: dict[str, object] = {
            "iss": self._login.issuer,
            "sub": account.subject,
            "aud": client_id,
            "iat": now,
            "exp": now + ID_TOKEN_S,
            "auth_time": int(float(said["auth_time"])),
            "email": account.email,
            "email_verified": account.email_verified,
            "name": account.name,
        }
        if said.get("nonce"):
            claims["nonce"] = said["nonce"]
        return self._login.tokens.keys.sign(claims, "JWT")


def _proves(verifier: str, challenge: str) -> bool:
    if not 43 <= len(verifier) <= 128 or not verifier.isascii():
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
