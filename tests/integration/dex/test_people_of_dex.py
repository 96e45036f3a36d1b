"""From a login at a real Dex to calls of the platform, with its token and with Dex's own, until somebody is cut off."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from support.code_flow import CodeFlow, LoginRefused
from support.deadline import awaited
from support.dex import CLIENT, REDIRECT

from .conftest import FIRST_ADMIN, PEOPLE, Place

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
CODE = "def handle(event, context):\n    return {'user': event.headers.get('x-ffx-user'), 'auth': event.headers.get('authorization')}\n"


class Visitor:
    """A client of the platform as somebody, or as nobody."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.http = httpx.AsyncClient(base_url=place.platform.url, timeout=60, trust_env=False)

    async def id_token(self, email: str, password: str, step: str = "/local", client: str = CLIENT) -> str:
        found = await self.http.get(f"{self.place.dex.issuer}/.well-known/openid-configuration")
        flow = CodeFlow(found.json(), client, REDIRECT, step=step)
        return str((await flow.tokens(email, password))["id_token"])

    async def exchange(self, token: str) -> httpx.Response:
        form = {
            "grant_type": EXCHANGE,
            "client_id": "ffx-cli",
            "subject_token": token,
            "subject_token_type": ID_TOKEN,
        }
        return await self.http.post("/oidc/token", data=form)

    async def access_token(self, email: str, password: str, step: str = "/local") -> str:
        answer = await self.exchange(await self.id_token(email, password, step))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def get(self, path: str, token: str) -> httpx.Response:
        return await self.http.get(path, headers={"authorization": f"Bearer {token}"})

    async def whoami(self, token: str) -> dict[str, Any]:
        answer = await self.get("/whoami", token)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def as_admin(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = self.place.platform.headers
        answer = await self.http.request(method, path, headers=headers, json=body or None)
        assert answer.is_success, answer.text
        return answer

    async def person(self) -> tuple[str, str, str]:
        """A new one with a password at Dex: e-mail, password, id."""
        email, password = f"p{secrets.token_hex(5)}@example.test", secrets.token_urlsafe(16)
        answer = await self.as_admin("POST", "/users", email=email, name="Some One", password=password)
        return email, password, answer.json()["id"]

    async def function(self, **fields: Any) -> str:
        """A private one in the namespace admin; its name."""
        name = f"f{secrets.token_hex(5)}"
        body = {"name": name, "runtime": "python", "source": {"files": {"main.py": CODE}}, **fields}
        await self.as_admin("POST", "/functions/register?wait_s=60", **body)
        return name


@pytest.fixture
async def visitor(place: Place) -> AsyncIterator[Visitor]:
    made = Visitor(place)
    yield made
    await made.http.aclose()


async def test_somebody_made_by_an_admin_logs_in_and_calls(visitor: Visitor) -> None:
    email, password, uid = await visitor.person()
    name = await visitor.function()
    token = await visitor.access_token(email, password)
    said = await visitor.whoami(token)
    assert (said["id"], said["email"], said["role"]) == (uid, email, "developer")
    assert (await visitor.get(f"/f/admin/{name}", token)).status_code == 404
    await visitor.as_admin("PUT", f"/functions/admin/{name}/grants/user:{email}", verbs=["invoke"])

    async def called() -> bool:
        return (await visitor.get(f"/f/admin/{name}", token)).status_code == 200

    await awaited(called, "the grant is live")
    assert (await visitor.get(f"/f/admin/{name}", token)).json() == {"user": uid, "auth": None}


async def test_groups_of_ldap_are_members_of_the_groups_that_claim_them(visitor: Visitor) -> None:
    name = await visitor.function()
    await visitor.as_admin("PUT", "/groups/analysts", members=[], claims=["data"], description="")
    await visitor.as_admin("PUT", f"/functions/admin/{name}/grants/group:analysts", verbs=["invoke"])
    _, email, password = PEOPLE["ana"]
    ana = await visitor.access_token("ana", password, "/ldap")
    _, _, password = PEOPLE["ben"]
    ben = await visitor.access_token("ben", password, "/ldap")
    said = await visitor.whoami(ana)
    assert (said["email"], said["groups"]) == (email, ["analysts"])
    assert (await visitor.whoami(ben))["groups"] == []

    async def called() -> bool:
        return (await visitor.get(f"/f/admin/{name}", ana)).status_code == 200

    await awaited(called, "the group's grant is live")
    assert (await visitor.get(f"/f/admin/{name}", ben)).status_code == 404
    with pytest.raises(LoginRefused):
        await visitor.id_token("ana", "not-hers", "/ldap")


async def test_dexs_own_token_is_taken_by_the_api_and_the_gateway(visitor: Visitor) -> None:
    email, password, uid = await visitor.person()
    name = await visitor.function(visibility="authenticated", scaling={"min_instances": 1})
    token = await visitor.id_token(email, password)
    assert (await visitor.whoami(token))["id"] == uid
    answer = await visitor.get(f"/f/admin/{name}", token)
    assert (answer.status_code, answer.json()) == (200, {"user": uid, "auth": None})
    others = await visitor.id_token(email, password, client="other")
    for path in ("/whoami", f"/f/admin/{name}"):
        assert (await visitor.get(path, others)).status_code == 401
    assert (await visitor.exchange(others)).json()["error"] == "invalid_grant"


async def test_a_verified_address_of_the_settings_becomes_admin(visitor: Visitor) -> None:
    login = visitor.place
    email, password = FIRST_ADMIN, secrets.token_urlsafe(16)
    await visitor.as_admin("POST", "/users", email=email, name="The Boss", password=password, role="admin")
    said = await visitor.whoami(await visitor.access_token(email, password))
    assert (said["role"], said["namespace"]) == ("admin", "admin")
    assert login.platform.ready()


@pytest.mark.parametrize("ldap", [False, True])
async def test_who_is_cut_off_gets_nowhere_with_any_token(visitor: Visitor, ldap: bool) -> None:
    if ldap:
        who, step, password = "ben", "/ldap", PEOPLE["ben"][2]
        uid = (await visitor.whoami(await visitor.access_token(who, password, step)))["id"]
    else:
        (who, password, uid), step = await visitor.person(), "/local"
    name = await visitor.function(visibility="authenticated", scaling={"min_instances": 1})
    id_token = await visitor.id_token(who, password, step)
    answer = (await visitor.exchange(id_token)).json()
    tokens = (answer["access_token"], id_token)
    for token in tokens:
        assert (await visitor.get(f"/f/admin/{name}", token)).status_code == 200
    await visitor.as_admin("PUT", f"/users/{uid}", disabled=True)
    for token in tokens:
        for path in ("/whoami", f"/f/admin/{name}"):

            async def refused(path: str = path, token: str = token) -> bool:
                return (await visitor.get(path, token)).status_code == 401

            await awaited(refused, f"{path} is closed", within_s=2)
    assert (await visitor.exchange(id_token)).status_code == 400
    form = {"grant_type": "refresh_token", "client_id": "ffx-cli", "refresh_token": answer["refresh_token"]}
    assert (await visitor.http.post("/oidc/token", data=form)).status_code == 400
