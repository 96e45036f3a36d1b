"""What every login driver does when somebody logs in."""

from __future__ import annotations

import base64
import json
import time

import pytest

from faasioflex.model.errors import NotAuthenticated, TokenExpired
from support.code_flow import LoginRefused
from support.login_world import World

NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri", "id_token_signing_alg_values_supported")


async def test_discovery_names_the_issuer_and_its_endpoints(world: World) -> None:
    document = await world.login.discovery()
    assert document["issuer"] == world.login.issuer
    assert all(document[name] for name in NEEDED)
    assert "S256" in document["code_challenge_methods_supported"]  # type: ignore[operator]
    assert "code" in document["response_types_supported"]  # type: ignore[operator]
    assert world.login.problem is None


async def test_keys_are_public_ones(world: World) -> None:
    keys = (await world.login.jwks())["keys"]
    assert isinstance(keys, list)
    assert keys
    assert all(key["kty"] in {"RSA", "EC", "OKP"} and key["kid"] and "d" not in key for key in keys)


async def test_somebody_logs_in_by_code_and_pkce(world: World, email: str, password: str) -> None:
    made = await world.login.create_user(email, "Some One", password)
    token = await world.id_token(email, password)
    identity = await world.login.verify_id_token(token, time.time())
    assert (identity.issuer, identity.subject, identity.email) == (world.login.issuer, made.subject, email)
    assert identity.name == "Some One"
    assert identity.email_verified
    assert identity.audience == world.client_id
    assert identity.issued_at <= time.time() + 1 < identity.expires_at


async def test_a_wrong_password_gets_no_code(world: World, email: str, password: str) -> None:
    await world.login.create_user(email, "Some One", password)
    with pytest.raises(LoginRefused):
        await world.id_token(email, password + "x")
    with pytest.raises(LoginRefused):
        await world.id_token("nobody-" + email, password)


async def test_a_code_is_worth_nothing_without_its_verifier(world: World, email: str, password: str) -> None:
    await world.login.create_user(email, "Some One", password)
    with pytest.raises(LoginRefused):
        await (await world.flow()).tokens(email, password, verifier="v" * 64)


async def test_an_id_token_holds_as_it_was_signed_and_while_it_lasts(world: World, email: str, password: str) -> None:
    await world.login.create_user(email, "Some One", password)
    token = await world.id_token(email, password)
    header, payload, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    other = base64.urlsafe_b64encode(json.dumps(said | {"sub": "somebody-else"}).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    turned = signature[:20] + ("A" if signature[20] != "A" else "B") + signature[21:]
    for forged in (f"{header}.{other}.{signature}", f"{none}.{payload}.", f"{header}.{payload}.{turned}", "", "a.b"):
        with pytest.raises(NotAuthenticated):
            await world.login.verify_id_token(forged, time.time())
    with pytest.raises(TokenExpired):
        await world.login.verify_id_token(token, said["exp"] + 3600)
    with pytest.raises(NotAuthenticated):
        await world.login.verify_id_token(token, said["iat"] - 3600)
    assert await world.login.verify_id_token(token, time.time())
