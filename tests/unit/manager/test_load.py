"""Which revisions are called, and that silence is not rest."""

from __future__ import annotations

from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.load import Load
from faasioflex.model.messages import LOAD_SUBJECT, LoadReport, RevisionLoad

CALLS = RevisionLoad("acme", "hello", 1, in_progress=0, issued=1)


class Told:
    def __init__(self) -> None:
        self.now = 100.0
        self.load = Load(MemoryBus(), ("gateway.local", "invoker.local"), lambda: self.now)
        self.heard: list[tuple[str, int]] = []
        self.load.on_calls = lambda key, revision: self.heard.append((key, revision))

    async def report(self, member: str, *loads: RevisionLoad) -> None:
        report = LoadReport("gateway", member, self.now, loads)
        await self.load._on_report(LOAD_SUBJECT, encode(report))

    async def second(self, *loads: RevisionLoad) -> None:
        self.now += 1
        await self.report("gateway.local", *loads)
        await self.report("invoker.local")

    @property
    def idle_s(self) -> float | None:
        return self.load.idle_s("acme.hello", 1)


async def test_it_rests_since_its_last_call_and_no_longer_than_all_have_reported() -> None:
    told = Told()
    assert told.idle_s is None
    await told.report("gateway.local")
    assert told.idle_s is None, "the invoker has said nothing yet"
    await told.second()
    assert told.idle_s == 0
    for _ in range(4):
        await told.second()
    assert told.idle_s == 4
    await told.second(CALLS)
    assert told.idle_s == 0
    assert told.heard == [("acme.hello", 1)]
    await told.second()
    assert told.idle_s == 1
    told.load.called("acme.hello", 1)
    assert told.idle_s == 0


async def test_after_a_silence_it_begins_anew() -> None:
    told = Told()
    for _ in range(10):
        await told.second()
    told.now += 5
    assert told.idle_s is None
    await told.second()
    assert told.idle_s == 0, "what was in between nobody knows"


async def test_strangers_count_for_nothing() -> None:
    told = Told()
    await told.second()
    await told.report("someone.else", CALLS)
    assert not told.heard


async def test_it_keeps_no_more_than_what_was_called_lately() -> None:
    told = Told()
    for number in range(3000):
        await told.second(RevisionLoad("acme", f"f{number}", 1, in_progress=1, issued=1))
        if number == 1500:
            told.now += 7200
    assert len(told.load._busy_at) < 1600
