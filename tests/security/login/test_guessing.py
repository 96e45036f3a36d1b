"""Guessing passwords: many at once, and by the clock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from faasioflex.identity.issuer.passwords import Passwords
from faasioflex.identity.issuer.throttle import FREE_OF_ACCOUNT, FREE_OF_ADDRESS, Throttle
from support.issuer_world import embedded
from support.login_attacks import ASKED, EMAIL, PASSWORD, browser, log_in

TRIES = 9  # of each kind: below what an address may fail


async def test_tries_that_come_at_once_are_counted_before_they_are_looked_at(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world, browser(world) as client:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        world.login.throttle = Throttle(lambda: 1000.0)  # no wait ends while they are looked at
        await client.get("/oidc/authorize", params=ASKED)
        form = {"csrf": client.cookies["ffx_csrf"], "email": EMAIL}
        tries = (
            client.post("/oidc/authorize", params=ASKED, data={**form, "password": f"a wrong one {number}"})
            for number in range(24)
        )
        statuses = [answer.status_code for answer in await asyncio.gather(*tries)]
        assert statuses.count(400) == FREE_OF_ACCOUNT
        assert statuses.count(429) == 24 - FREE_OF_ACCOUNT


async def test_one_address_tries_a_few_accounts_and_an_own_one_buys_no_more(tmp_path: Path) -> None:
    async with embedded(tmp_path) as world:
        await world.login.create_user(EMAIL, "Ada", PASSWORD)
        throttle = world.login.throttle
        for number in range(FREE_OF_ADDRESS - 1):
            throttle.begin(f"{number}@example.test", "192.0.2.1")
            throttle.held(throttle.begin(EMAIL, "192.0.2.1"))
        throttle.begin("last@example.test", "192.0.2.1")
        with pytest.raises(Exception, match="Too many tries"):
            throttle.begin(EMAIL, "192.0.2.1")
        throttle.held(throttle.begin(EMAIL, "192.0.2.2"))  # who is elsewhere goes on


@pytest.mark.alone
async def test_the_clock_does_not_tell_who_exists(tmp_path: Path) -> None:
    """Whoever sees two times cannot say which is whose. A new account each, so that no throttle answers."""
    async with embedded(tmp_path) as world, browser(world) as client:
        for number in range(TRIES):
            await world.login.create_user(f"known-{number}@example.test", "One", PASSWORD)
        took: dict[str, list[float]] = {"known": [], "unknown": []}
        for number in range(TRIES):
            for kind, times in took.items():
                began = time.perf_counter()
                answer = await log_in(client, f"{kind}-{number}@example.test", "a wrong password")
                times.append(time.perf_counter() - began)
                assert answer.status_code == 400
        slower = sum(known > unknown for known in took["known"] for unknown in took["unknown"])
        assert 4 <= slower <= TRIES * TRIES - 4, took


async def test_comparing_costs_as_much_for_nobody() -> None:
    """The processor's time, which no other process disturbs."""
    passwords = Passwords()
    kept = await passwords.hashed(PASSWORD)
    await passwords.matches(None, "warm")
    costs: dict[str, list[float]] = {"nobody": [], "somebody": []}
    for _ in range(8):
        for kind, held in (("nobody", None), ("somebody", kept)):
            began = time.process_time()
            assert not await passwords.matches(held, "a wrong password")
            costs[kind].append(time.process_time() - began)
    nobody, somebody = min(costs["nobody"]), min(costs["somebody"])
    assert nobody == pytest.approx(somebody, rel=0.5)
    assert somebody < 0.25  # a login answers within 0.3 s
