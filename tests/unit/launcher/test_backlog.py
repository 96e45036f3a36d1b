from __future__ import annotations

import asyncio
from typing import Any

import pytest

from faasioflex.runtime.launcher.backlog import Backlog

Record = dict[str, Any]


def _line(instance: str, message: str) -> Record:
    return {"kind": "line", "instance": instance, "message": message}


def _dropped(one: Record, lines: int) -> Record:
    return {**one, "message": f"{lines} dropped"}


def _backlog(bound_bytes: int = 10**9) -> Backlog:
    return Backlog(_dropped, bound_bytes)


async def test_records_come_in_order_until_they_are_acknowledged() -> None:
    backlog = _backlog()
    backlog.add_line("a", _line("a", "one"))
    backlog.add({"kind": "ended"})
    records, upto = await backlog.batch()
    assert [record["kind"] for record in records] == ["line", "ended"]
    backlog.rewind()
    assert await backlog.batch() == (records, upto)
    backlog.acknowledge(upto)
    backlog.rewind()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(backlog.batch(), 0.01)


async def test_a_reader_waits_for_the_next() -> None:
    backlog = _backlog()
    waiting = asyncio.create_task(backlog.batch())
    await asyncio.sleep(0)
    backlog.add({"kind": "ready"})
    records, _ = await waiting
    assert records == [{"kind": "ready"}]


async def test_what_is_sent_is_not_sent_twice_to_the_same_reader() -> None:
    backlog = _backlog()
    backlog.add({"kind": "ready"})
    await backlog.batch()
    backlog.add({"kind": "ended"})
    records, _ = await backlog.batch()
    assert records == [{"kind": "ended"}]


async def test_over_the_bound_lines_go_and_a_notice_stands_in_their_place() -> None:
    backlog = _backlog(bound_bytes=40_000)
    backlog.add({"kind": "ready"})
    for number in range(100):
        backlog.add_line("a", _line("a", f"line {number}"))
    backlog.add({"kind": "ended"})
    records, upto = await backlog.batch()
    assert records[0] == {"kind": "ready"}
    assert records[-1] == {"kind": "ended"}
    notice, kept = records[1]["message"], [record["message"] for record in records[2:-1]]
    assert notice == f"{100 - len(kept)} dropped"
    assert kept == [f"line {number}" for number in range(100 - len(kept), 100)]
    assert 20 < len(kept) < 40
    backlog.acknowledge(upto)


async def test_who_holds_the_most_loses_first() -> None:
    backlog = _backlog(bound_bytes=60_000)
    for number in range(10):
        backlog.add_line("quiet", _line("quiet", f"word {number}"))
    for number in range(1000):
        backlog.add_line("loud", _line("loud", f"shout {number}"))
    records, _ = await backlog.batch()
    assert [r["message"] for r in records if r["instance"] == "quiet"] == [f"word {number}" for number in range(10)]


async def test_after_a_notice_was_sent_the_next_gap_has_its_own() -> None:
    backlog = _backlog(bound_bytes=20_000)
    for number in range(60):
        backlog.add_line("a", _line("a", f"first {number}"))
    records, _ = await backlog.batch()
    told = int(records[0]["message"].split()[0])
    for number in range(60):
        backlog.add_line("a", _line("a", f"second {number}"))
    more, upto = await backlog.batch()
    backlog.acknowledge(upto)
    kept = [r for r in (*records, *more) if not r["message"].endswith("dropped")]
    later = sum(int(r["message"].split()[0]) for r in more if r["message"].endswith("dropped"))
    assert told + later + len(kept) == 120
