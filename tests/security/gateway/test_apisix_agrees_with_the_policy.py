"""Principals, grants and functions at random: whom APISIX's scripts send straight to an instance is whom the policy allows to.

The scripts run in LuaJIT on tokens that the platform signed; what openid-connect does, verifying them, our own verifier does here.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from joserfc import jwt

from faasioflex.gateway.apisix.addresses import Parts
from faasioflex.gateway.apisix.render import Renderer
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.claims import AUDIENCE
from support.apisix_call import Phases
from support.identity import ISSUER, throwaway_keys
from support.random_directory import UID, RandomDirectory

SETTINGS = ApisixSettings("http://a:9180", Path("key"), "api:1", "inv:1", "http://api:1/oidc", "http://a:9091")
PARTS = Parts((("10.1.0.1", 8001),), (("10.1.0.2", 8002),))
REVISION = TableRevision(1, 100, ("10.0.0.1:80",), 30.0, None, 10, 70.0)


@pytest.mark.parametrize("seed", range(4))
async def test_who_goes_straight_to_an_instance_is_whom_the_policy_allows(seed: int) -> None:
    made = RandomDirectory(seed)
    await made.make()
    directory = made.identity.directory
    functions = tuple(
        TableFunction(name, directory.access(name, made.visibility[name], UID), (REVISION,))
        for name in sorted(made.functions)
    )
    keys = throwaway_keys()
    issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(keys.jwks()))
    table = RouteTable(1, functions, directory.revocations(), (issuer,))
    verified = {token: _claims(token) for token in made.tokens.values()}
    phases = Phases(Renderer(SETTINGS).render(table, PARTS).objects, verified)
    phases.now = int(time.time())
    wrong, straight = [], 0
    for who, token in [("nobody", None), *made.tokens.items()]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        for name in made.functions:
            ways = [
                phases.request("GET", f"/f/{name}", headers) for _ in range(2)
            ]  # the first of a long-lived token is noted
            assert ways[1].status is None
            direct, may = ways[1].to != "ffx-invoker", made.says(token, name)
            straight += direct
            if may and not direct and who.startswith("t-0 "):
                continue  # what it says of its owner is not so any more: the invoker has to do with it
            if direct != may and not (made.visibility[name] == "public" and direct):
                wrong.append(f"{who} -> {name} ({made.visibility[name]}): APISIX {direct}, policy {may}")
    assert not wrong, "\n".join(wrong)
    assert straight
    await made.identity.stop()


def _claims(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, throwaway_keys().public(throwaway_keys().signing_kid()), algorithms=["RS256"]).claims)
