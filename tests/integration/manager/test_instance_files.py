"""The files that the manager gives instances: at the start, when a secret changes, when a token is half way, after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faasioflex.manager import instance_files
from faasioflex.manager.secrets.master import HeldKeys
from faasioflex.manager.secrets.sealing import new_key
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.manager.service import FunctionManager
from faasioflex.model.function import Scaling
from faasioflex.model.names import FunctionName
from integration.manager.conftest import SPEC, World
from support.deadline import eventually

WITH_SECRET = replace(SPEC, secrets=("key",), scaling=Scaling(min_instances=1, idle_s=60.0))
LIFE_S = 900.0


class Given(World):
    def __init__(self) -> None:
        super().__init__()
        self.store = SecretStore(self.bus, HeldKeys([new_key()], "the test"), lambda: self.now)
        self.minted: list[str] = []

    def mint(self, function: FunctionName, uid: str, now: float) -> tuple[str, float]:
        self.minted.append(f"{function} {uid} {len(self.minted)}")
        return self.minted[-1], now + LIFE_S

    async def start_manager(self) -> None:
        self.manager = FunctionManager(
            self.bus, self.driver, self.builder, clock=lambda: self.now, secrets=self.store, mint=self.mint
        )
        await self.manager.start()

    def files(self) -> list[dict[str, bytes]]:
        return [self.driver.specs[one].files for one in self.driver.instances]


@pytest.fixture
async def given(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Given]:
    monkeypatch.setattr(instance_files, "LOOK_S", 0.05)
    world = Given()
    await world.start()
    yield world
    await world.stop()


async def test_an_instance_starts_with_them_and_gets_changes(given: Given):
    await given.store.set("acme", "key", b"one", actor="ada")
    await given.register(WITH_SECRET)
    await eventually(lambda: given.files() == [{"secrets/key": b"one", "token": b"acme/hello u1 0"}], "its files", 5)
    await given.store.set("acme", "key", b"two", actor="ada")
    await eventually(lambda: given.files()[0]["secrets/key"] == b"two", "the change", 2)
    await given.store.delete("acme", "key", force=True)
    await eventually(lambda: given.files() == [{"token": b"acme/hello u1 0"}], "it is taken away", 2)


async def test_a_token_is_renewed_at_half_its_life_and_not_before(given: Given):
    await given.store.set("acme", "key", b"one", actor="ada")
    await given.register(WITH_SECRET)
    await eventually(lambda: len(given.files()) == 1, "it runs", 5)
    given.now += LIFE_S / 2 - 1
    await given.store.set("acme", "key", b"two", actor="ada")
    await eventually(lambda: given.files()[0]["secrets/key"] == b"two", "a look", 2)
    assert given.files()[0]["token"] == b"acme/hello u1 0"
    given.now += 2
    await eventually(lambda: given.files()[0]["token"] == b"acme/hello u1 1", "the next token", 2)


async def test_a_manager_that_takes_over_gives_them_what_changed_meanwhile(given: Given):
    await given.store.set("acme", "key", b"one", actor="ada")
    await given.register(WITH_SECRET)
    await eventually(lambda: len(given.files()) == 1, "it runs", 5)
    await given.stop_manager()
    await given.store.set("acme", "key", b"two", actor="ada")
    await given.start_manager()
    await eventually(lambda: given.files()[0]["secrets/key"] == b"two", "the change", 5)


async def test_without_a_secret_it_says_what_to_do_and_starts_once_that_is_done(given: Given):
    await given.register(WITH_SECRET)
    await eventually(lambda: "ffx secret set key --namespace acme" in str(given.statuses.entries), "the reason", 10)
    assert given.files() == []
    await given.store.set("acme", "key", b"one", actor="ada")
    await eventually(lambda: len(given.files()) == 1, "it runs", 10)


async def test_the_driver_being_away_only_puts_it_off(given: Given):
    await given.store.set("acme", "key", b"one", actor="ada")
    await given.register(WITH_SECRET)
    await eventually(lambda: len(given.files()) == 1, "it runs", 5)
    given.driver.away = True
    await given.store.set("acme", "key", b"two", actor="ada")
    given.driver.away = False
    await eventually(lambda: given.files()[0]["secrets/key"] == b"two", "the change", 5)
