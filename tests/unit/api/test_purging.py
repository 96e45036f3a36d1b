"""Forgetting kept answers, as the API asks for it."""

from __future__ import annotations

import pytest

from faasioflex.api.routes import cache
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.errors import Unavailable
from faasioflex.model.messages import PURGE_SUBJECT, Purge, Purged
from faasioflex.model.names import FunctionName

HELLO = FunctionName("acme", "hello")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PAUSE_S", 0.0)


async def test_every_invoker_hears_it_and_one_answers() -> None:
    bus, heard = MemoryBus(), list[Purge]()

    async def forget(_: str, data: bytes) -> bytes:
        heard.append(decode(Purge, data))
        return encode(Purged(3))

    for _ in range(2):
        await bus.subscribe(PURGE_SUBJECT, forget)
    assert (await cache.purge(bus, HELLO)).entries == 3
    assert heard == [Purge("acme", "hello")] * 2


async def test_without_an_answer_nobody_may_think_that_it_is_done() -> None:
    with pytest.raises(Unavailable, match="acme/hello"):
        await cache.purge(MemoryBus(), HELLO)
