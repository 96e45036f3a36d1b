"""RFC 8693: a login's ID token becomes tokens of the platform."""

from __future__ import annotations

from faasioflex.identity.claims import AUDIENCE
from faasioflex.identity.port import Identity, Login
from faasioflex.identity.tokens.grants import OAuthError, TokenRequest

ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105


async def exchanged(login: Login | None, request: TokenRequest) -> Identity:
    """Who the subject token says they are. Raises: OAuthError, NotAuthenticated, Unavailable."""
    form = request.form
    if login is None:
        raise OAuthError("unsupported_grant_type", "This platform has no login whose tokens could be exchanged")
    if not request.client.first_party:
        raise OAuthError("unauthorized_client", "This client may not exchange tokens")
    token = request.required("subject_token")
    if request.required("subject_token_type") != ID_TOKEN:
        raise OAuthError("invalid_request", f"subject_token_type must be {ID_TOKEN}")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"requested_token_type must be {ACCESS_TOKEN}, or left out")
    if "actor_token" in form or "actor_token_type" in form:
        raise OAuthError("invalid_request", "Nobody acts for somebody else here: leave actor_token out")
    if form.get("audience", AUDIENCE) != AUDIENCE or "resource" in form:
        raise OAuthError("invalid_target", f"audience must be {AUDIENCE}, or left out, and there is no resource")
    return await login.verify_id_token(token, request.now)
