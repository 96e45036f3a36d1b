"""From Authorization headers to a principal."""

from __future__ import annotations

import pytest

from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.authenticator import LONGEST_TOKEN, Authenticator
from faasioflex.identity.principal import ANONYMOUS
from faasioflex.identity.tokens.long_lived import WantedToken
from faasioflex.identity.tokens.verifier import Verifier
from faasioflex.model.errors import NotAuthenticated
from support.identity import ISSUER, TestIdentity, throwaway_keys


@pytest.mark.parametrize("values", [[], ["Basic YTpi"], ["Digest x"], ["token"], [""]])
async def test_without_a_bearer_token_it_is_nobody(identity: TestIdentity, values: list[str]) -> None:
    assert identity.authenticate.bearer(values) is ANONYMOUS


async def test_the_scheme_has_no_case(identity: TestIdentity) -> None:
    token = identity.token(await identity.user("ana"))
    for scheme in ("Bearer", "bearer", "BEARER", " Bearer "):
        assert identity.authenticate.bearer([f"{scheme} {token} "]).email == "ana@example.test"


async def test_what_does_not_hold_is_never_nobody(identity: TestIdentity) -> None:
    token = identity.token(await identity.user("ana"))
    for values in (
        ["Bearer"],
        ["Bearer "],
        ["Bearer x"],
        [f"Bearer {token}", f"Bearer {token}"],
        ["Basic x", f"Bearer {token}"],
        [f"Bearer {token}, Bearer {token}"],
        [f"Bearer {token},"],
        [f"Bearer Bearer {token}"],
        ["Bearer " + "x" * (LONGEST_TOKEN + 1)],
    ):
        with pytest.raises(NotAuthenticated):
            identity.authenticate.bearer(values)


async def test_uses_are_told_of_tokens_that_hold(identity: TestIdentity, bus: MemoryBus) -> None:
    heard: list[str] = []
    verifier = Verifier(throwaway_keys(), lambda: frozenset({ISSUER}), clock=lambda: 1_800_000_000.0)
    authenticate = Authenticator(verifier, identity.directory, lambda: 1_800_000_000.0, heard.append)
    ana = authenticate.token(identity.token(await identity.user("ana")))
    record, token = await identity.long_lived.create(ana, WantedToken("personal", "x"))
    authenticate.token(token)
    with pytest.raises(NotAuthenticated):
        authenticate.token("noise")
    assert heard == [ana.pid, record.token_id]
