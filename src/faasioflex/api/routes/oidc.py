"""The issuer's own endpoints: metadata, keys, tokens, revocation. Errors are those of RFC 6749, not problem documents."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.address_limit import address_of
from faasioflex.api.body import KIB, chunks, media_type
from faasioflex.api.identity import Caller, Identities
from faasioflex.api.problems import problems
from faasioflex.identity.policy import Resource, allowed
from faasioflex.identity.tokens.grants import OAuthError
from faasioflex.model.errors import FfxError, NotAllowed, Unavailable

router = APIRouter(prefix="/oidc", tags=["identity"], include_in_schema=False)
FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 64 * KIB
MOST_FIELDS = 40
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
KEYS_HELD = {"cache-control": "public, max-age=30"}  # less than a new key is published before it signs


@router.get("/.well-known/openid-configuration")
@router.get("/.well-known/oauth-authorization-server")
async def metadata(identity: Identities) -> Response:
    """OpenID Connect Discovery, and RFC 8414."""
    return JSONResponse(identity.tokens.metadata(), headers=KEYS_HELD)


@router.get("/jwks")
async def jwks(identity: Identities) -> Response:
    """The public keys of everything that the platform signs."""
    return JSONResponse(identity.tokens.keys.jwks(), headers=KEYS_HELD)


@router.post("/token")
async def token(request: Request, identity: Identities) -> Response:
    """RFC 6749, 3.2, with the grants of ``tokens.grants``."""
    try:
        identity.token_limit.take(address_of(request))
        client_id, secret, form = await _form(request)
        if not form.get("grant_type"):
            raise OAuthError("invalid_request", "The parameter grant_type is missing")
        return JSONResponse(dict(await identity.tokens.token(client_id, secret, form)), headers=NO_STORE)
    except (OAuthError, FfxError) as error:
        return _refusal(error)


@router.post("/revoke")
async def revoke(request: Request, identity: Identities) -> Response:
    """RFC 7009."""
    try:
        identity.token_limit.take(address_of(request))
        client_id, secret, form = await _form(request)
        if not form.get("token"):
            raise OAuthError("invalid_request", "The parameter token is missing")
        await identity.tokens.revoke(client_id, secret, form["token"])
        return Response(status_code=200, headers=NO_STORE)
    except (OAuthError, FfxError) as error:
        return _refusal(error)


@router.post("/keys/rotate", include_in_schema=True, responses=problems(401))
async def rotate_keys(
    identity: Identities,
    caller: Caller,
    drop: Annotated[
        bool, Query(description="Void everything that was signed so far: a key may be in wrong hands")
    ] = False,
) -> Response:
    """Make a new signing key: it signs in a minute, when all have it; old ones verify until their tokens have ended."""
    if not allowed(caller, "admin", Resource("platform")):
        raise NotAllowed("Only an admin of the platform rotates its keys")
    return JSONResponse({"kid": await identity.tokens.rotate(drop=drop)}, 201)


async def _form(request: Request) -> tuple[str, str | None, dict[str, str]]:
    """The client's id and secret, and the other parameters. Raises: OAuthError, and what ``chunks`` raises."""
    if media_type(request) != FORM:
        raise OAuthError("invalid_request", f"Send {FORM}, and say so in Content-Type")
    data = b"".join([chunk async for chunk in chunks(request, LONGEST_FORM)])
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise OAuthError("invalid_request", "The body is not a form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "No parameter may be given twice")
    given = request.headers.getlist("authorization")
    client_id: str
    secret: str | None
    if given:
        client_id, secret = _basic(given)
        if "client_secret" in form or form.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_request", "The client proves itself in the header or in the body, not in both")
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret")
        form.pop("client_secret", "")
    if not client_id:
        raise OAuthError("invalid_client", "Say who the client is: client_id", 401)
    return client_id, secret, form


def _basic(given: list[str]) -> tuple[str, str]:
    scheme, _, value = given[0].strip().partition(" ")
    if len(given) > 1 or scheme.lower() != "basic":
        raise OAuthError("invalid_client", "Clients prove themselves by one Authorization header of scheme Basic", 401)
    try:
        client_id, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_client", "The Authorization header is not Basic", 401) from None
    if not colon:
        raise OAuthError("invalid_client", "The Authorization header is not Basic", 401)
    return unquote_plus(client_id), unquote_plus(secret)


def _refusal(error: OAuthError | FfxError) -> Response:
    headers: dict[str, str] = dict(NO_STORE)
    if isinstance(error, OAuthError):
        status, code, description = error.status, error.error, error.description
    elif isinstance(error, Unavailable):
        status, code, description = 503, "temporarily_unavailable", error.message
    elif error.status < 500:
        status, code, description = error.status, "invalid_request", error.message
    else:
        raise error
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="faasioflex"'
    if isinstance(error, FfxError) and error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    body: dict[str, Any] = {"error": code, "error_description": _printable(description)}
    return JSONResponse(body, status, headers=headers)


def _printable(text: str) -> str:
    """As RFC 6749 wants it: printable ASCII without quotes and backslashes."""
    return "".join(one if " " <= one <= "~" and one not in '"\\' else "'" for one in text)
