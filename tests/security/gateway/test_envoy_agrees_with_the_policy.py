"""Principals, grants and functions at random: who reaches an instance through a real Envoy is whom the policy allows to."""

from __future__ import annotations

import asyncio
import json

import pytest

from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.identity.claims import AUDIENCE
from support.envoy import revision, stack
from support.identity import ISSUER, throwaway_keys
from support.origin import until
from support.random_directory import UID, RandomDirectory


@pytest.mark.parametrize("seed", range(4))
async def test_who_reaches_an_instance_is_whom_the_policy_allows(seed: int) -> None:
    made = RandomDirectory(seed)
    await made.make()
    async with stack() as world:
        instance = await world.instance("instance")
        functions = tuple(
            TableFunction(
                name, made.identity.directory.access(name, made.visibility[name], UID), (revision(1, instance),)
            )
            for name in sorted(made.functions)
        )
        issuer = TrustedIssuer(ISSUER, AUDIENCE, json.dumps(throwaway_keys().jwks()))
        revoked = made.identity.directory.revocations()
        await world.gateway.apply(RouteTable(1, functions, revoked, (issuer,)))
        first = next(iter(made.tokens.values()))

        async def trusted() -> bool:
            await world.get("/f/no/body", headers={"Authorization": f"Bearer {first}"})
            return "x-ffx-pid" in world.invoker.seen[-1].headers

        await until(trusted)
        wrong = []
        for who, token in [("nobody", None), *made.tokens.items()]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for name in made.functions:
                status, answerer = await world.get(f"/f/{name}", headers=headers)
                assert status == 200
                direct, may = answerer == "instance", made.says(token, name)
                # A public function is for everybody; a token that is not good any more is looked at by the invoker first.
                if may and not direct and who.startswith("t-0 "):
                    continue
                if direct != may and not (made.visibility[name] == "public" and direct):
                    wrong.append(f"{who} -> {name} ({made.visibility[name]}): Envoy {direct}, policy {may}")
        assert not wrong, "\n".join(wrong)
    await asyncio.gather(made.identity.stop())
