"""The token endpoint without HTTP: exchange, refresh, revocation, and what a login plugs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.tokens.exchange import ID_TOKEN
from faasioflex.identity.tokens.grants import TOKEN_EXCHANGE, Client, OAuthError, Plug, TokenAnswer, TokenRequest
from faasioflex.identity.tokens.refresh import FAMILY_S, IDLE_S, MOST_LOGINS
from faasioflex.model.errors import NotAuthenticated, TokenRevoked
from faasioflex.model.identity import RefreshFamily, UserRecord
from support.deadline import eventually
from support.fake_login import FakeLogin
from support.identity import TestIdentity

CLI = "ffx-cli"


def exchange(subject_token: str, **more: str) -> dict[str, str]:
    return {"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "subject_token_type": ID_TOKEN, **more}


def refresh(token: object) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": str(token)}


async def log_in(identity: TestIdentity, now: float, subject: str = "ana") -> Mapping[str, Any]:
    return await identity.tokens.token(CLI, None, exchange(FakeLogin().id_token(subject, now)))


async def refused(identity: TestIdentity, form: dict[str, str], client: str = CLI, secret: str | None = None) -> str:
    with pytest.raises(OAuthError) as raised:
        await identity.tokens.token(client, secret, form)
    return raised.value.error


async def test_a_login_is_exchanged_for_tokens(identity: TestIdentity, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 900
    principal = identity.authenticate.token(answer["access_token"])
    assert (principal.email, principal.namespace, principal.role) == ("ana@example.test", "ana", "developer")
    again = await log_in(identity, clock.now)
    assert identity.authenticate.token(again["access_token"]).uid == principal.uid


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "noise"}, "invalid_grant"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"),
        ({"requested_token_type": ID_TOKEN}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": "somebody-else"}, "invalid_target"),
        ({"resource": "http://elsewhere"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
    ],
)
async def test_an_exchange_that_asks_for_something_else_is_refused(
    identity: TestIdentity, clock: Any, changes: dict[str, str], error: str
) -> None:
    assert await refused(identity, {**exchange(FakeLogin().id_token("ana", clock.now)), **changes}) == error


async def test_an_old_login_is_not_exchanged(identity: TestIdentity, clock: Any) -> None:
    token = FakeLogin().id_token("ana", clock.now)
    clock.now += 301
    assert await refused(identity, exchange(token)) == "invalid_grant"


async def test_clients_prove_themselves(identity: TestIdentity, clock: Any) -> None:
    form = exchange(FakeLogin().id_token("ana", clock.now))
    assert await refused(identity, form, "unknown") == "invalid_client"
    assert await refused(identity, form, CLI, "a secret") == "invalid_client"


async def test_a_refresh_token_is_used_once_and_gives_the_next(identity: TestIdentity, clock: Any) -> None:
    first = await log_in(identity, clock.now)
    clock.now += 600
    second = await identity.tokens.token(CLI, None, refresh(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert identity.authenticate.token(str(second["access_token"])).email == "ana@example.test"
    third = await identity.tokens.token(CLI, None, refresh(second["refresh_token"]))
    assert third["refresh_token"] not in (first["refresh_token"], second["refresh_token"])


async def test_a_used_refresh_token_ends_the_login_and_its_access_tokens(identity: TestIdentity, clock: Any) -> None:
    first = await log_in(identity, clock.now)
    second = await identity.tokens.token(CLI, None, refresh(first["refresh_token"]))
    other = await log_in(identity, clock.now)
    assert await refused(identity, refresh(first["refresh_token"])) == "invalid_grant"
    assert await refused(identity, refresh(second["refresh_token"])) == "invalid_grant"
    for answer in (first, second):
        await eventually(lambda answer=answer: _revoked(identity, answer["access_token"]), "the access token is void")
    assert identity.authenticate.token(other["access_token"]).email == "ana@example.test"
    await identity.tokens.token(CLI, None, refresh(other["refresh_token"]))


def _revoked(identity: TestIdentity, token: str) -> bool:
    try:
        identity.authenticate.token(token)
    except TokenRevoked:
        return True
    return False


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: "",
        lambda token: token + "x",
        lambda token: token[:-1],
        lambda token: token.replace("r-", "t-", 1),
        lambda token: "r-" + "0" * 56 + token[58:],
        lambda token: token[:26] + "0" * 32 + token[58:],
        lambda token: token.split(".")[0],
        lambda token: "r-*." + token.split(".")[1],
    ],
)
async def test_what_is_no_refresh_token_ends_nothing(identity: TestIdentity, clock: Any, damage: Any) -> None:
    answer = await log_in(identity, clock.now)
    with pytest.raises(OAuthError):
        await identity.tokens.token(CLI, None, refresh(damage(answer["refresh_token"])))
    await identity.tokens.token(CLI, None, refresh(answer["refresh_token"]))


async def test_another_clients_refresh_token_is_refused(identity: TestIdentity, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    assert await refused(identity, refresh(answer["refresh_token"]), "ffx-console") == "invalid_grant"
    await identity.tokens.token(CLI, None, refresh(answer["refresh_token"]))


async def test_a_refresh_gives_no_more_than_the_login(identity: TestIdentity, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    assert await refused(identity, {**refresh(answer["refresh_token"]), "scope": "admin"}) == "invalid_scope"


async def test_a_login_ends_by_silence_and_by_age(identity: TestIdentity, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    began = clock.now
    while clock.now + IDLE_S / 2 < began + FAMILY_S:
        clock.now += IDLE_S / 2
        answer = await identity.tokens.token(CLI, None, refresh(answer["refresh_token"]))
    clock.now = began + FAMILY_S
    assert await refused(identity, refresh(answer["refresh_token"])) == "invalid_grant"
    answer = await log_in(identity, clock.now)
    clock.now += IDLE_S
    assert await refused(identity, refresh(answer["refresh_token"])) == "invalid_grant"


async def test_the_store_tells_no_refresh_token(identity: TestIdentity, bus: MemoryBus, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    held = repr(await bus.bucket("ffx_refresh", RefreshFamily).list())
    assert str(answer["refresh_token"]).split(".")[1] not in held
    assert answer["access_token"] not in held


async def test_a_disabled_person_gets_nothing(identity: TestIdentity, bus: MemoryBus, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    uid = identity.authenticate.token(answer["access_token"]).uid
    users = bus.bucket("ffx_users", UserRecord)
    entry = await users.get(uid)
    assert entry is not None
    await users.update(uid, replace(entry.value, disabled=True), entry.revision)
    assert await refused(identity, refresh(answer["refresh_token"])) == "invalid_grant"
    assert await refused(identity, exchange(FakeLogin().id_token("ana", clock.now))) == "invalid_grant"
    await eventually(lambda: _refused(identity, answer["access_token"]), "the access token is refused")


def _refused(identity: TestIdentity, token: str) -> bool:
    try:
        identity.authenticate.token(token)
    except NotAuthenticated:
        return True
    return False


async def test_ending_all_of_a_persons_logins(identity: TestIdentity, clock: Any) -> None:
    first, second = await log_in(identity, clock.now), await log_in(identity, clock.now)
    stale = FakeLogin().id_token("ana", clock.now)
    other = await log_in(identity, clock.now, "ben")
    await identity.tokens.end_all(identity.authenticate.token(first["access_token"]).uid)
    for answer in (first, second):
        assert await refused(identity, refresh(answer["refresh_token"])) == "invalid_grant"
        await eventually(lambda answer=answer: _revoked(identity, answer["access_token"]), "it is void")
    assert await refused(identity, exchange(stale)) == "invalid_grant"
    assert identity.authenticate.token(other["access_token"]).email == "ben@example.test"
    clock.now += 1
    answer = await log_in(identity, clock.now)
    assert identity.authenticate.token(answer["access_token"]).email == "ana@example.test"


async def test_nobody_keeps_more_logins_than_one_can_use(identity: TestIdentity, bus: MemoryBus, clock: Any) -> None:
    first = await log_in(identity, clock.now)
    other = await log_in(identity, clock.now, "ben")
    for _ in range(MOST_LOGINS):
        clock.now += 1
        last = await log_in(identity, clock.now)
    held = await bus.bucket("ffx_refresh", RefreshFamily).list()
    assert len(held) == MOST_LOGINS + 1
    assert await refused(identity, refresh(first["refresh_token"])) == "invalid_grant"
    for answer in (last, other):
        await identity.tokens.token(CLI, None, refresh(answer["refresh_token"]))


async def test_tokens_are_given_back(identity: TestIdentity, clock: Any) -> None:
    answer = await log_in(identity, clock.now)
    await identity.tokens.revoke(CLI, None, answer["access_token"])
    await eventually(lambda: _revoked(identity, answer["access_token"]), "it is void")
    again = await identity.tokens.token(CLI, None, refresh(answer["refresh_token"]))
    await identity.tokens.revoke(CLI, None, str(again["refresh_token"]))
    assert await refused(identity, refresh(again["refresh_token"])) == "invalid_grant"
    await eventually(lambda: _revoked(identity, str(again["access_token"])), "it is void")
    await identity.tokens.revoke(CLI, None, "noise")
    with pytest.raises(OAuthError):
        await identity.tokens.revoke("unknown", None, "noise")


class Others:
    """A client with a secret, as the embedded issuer has them."""

    async def client(self, client_id: str, secret: str | None) -> Client | None:
        if client_id != "shop":
            return None
        if secret != "hush":
            raise OAuthError("invalid_client", "wrong secret", 401)
        return Client("shop", "Shop", public=False, first_party=False)


async def test_a_login_plugs_in_grants_clients_and_metadata(identity: TestIdentity, clock: Any) -> None:
    async def device(request: TokenRequest) -> TokenAnswer:
        return {"access_token": f"for {request.client.client_id}", "code": request.required("device_code")}

    async def refreshed(request: TokenRequest, family: RefreshFamily) -> TokenAnswer:
        return {"access_token": f"again for {family.uid}", "said": family.said["nonce"]}

    identity.tokens.plug(
        Plug({"device": device}, Others(), lambda: {"device_authorization_endpoint": "http://x"}, refreshed)
    )
    metadata = identity.tokens.metadata()
    assert metadata["device_authorization_endpoint"] == "http://x"
    assert "device" in metadata["grant_types_supported"]  # type: ignore[operator]
    answer = await identity.tokens.token("shop", "hush", {"grant_type": "device", "device_code": "1"})
    assert answer == {"access_token": "for shop", "code": "1"}
    assert await refused(identity, {"grant_type": "device"}, "shop", "hush") == "invalid_request"
    assert await refused(identity, {"grant_type": "device"}, "shop", "guess") == "invalid_client"
    assert await refused(identity, exchange("x"), "shop", "hush") == "unauthorized_client"
    user = await identity.user("ana")
    token = await identity.tokens.refresh_tokens.begin(user.uid, "shop", clock.now, said={"nonce": "n"})
    answer = await identity.tokens.token("shop", "hush", refresh(token))
    assert (answer["access_token"], answer["said"]) == (f"again for {user.uid}", "n")
    await identity.tokens.token("shop", "hush", refresh(answer["refresh_token"]))
    assert await refused(identity, refresh(token), "shop", "hush") == "invalid_grant"
