"""Figures in the answers of the API: series, what is active, the whole platform, Prometheus."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.durations import bucket_of
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    LOAD_SUBJECT,
    SCALE_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    CountsReport,
    FunctionCounts,
    LoadReport,
    PoolUsage,
    RevisionCalls,
    RevisionLoad,
    RevisionUsage,
    UsageReport,
)
from faasioflex.model.names import FunctionName
from faasioflex.model.status import DesiredScale, FunctionStatus, RevisionStatus, ScaleDecision
from support.api_client import code_of, function
from support.api_world import api_world
from support.deadline import eventually

HELLO = FunctionName("admin", "hello")


class Telling:
    """A client of the API, and the parts that tell it of admin/hello; admin/idle is there, too."""

    def __init__(self, client: httpx.AsyncClient, bus: MemoryBus) -> None:
        self.client = client
        self.bus = bus
        self.services = client._transport.app.state.services  # type: ignore[attr-defined]

    async def everything(self) -> None:
        for name in ("hello", "idle"):
            assert (await self.client.post("/functions/register", json=function(name))).status_code == 201
        now = time.time()
        calls = RevisionCalls(
            "admin", "hello", 1, 10, 2, {bucket_of(20): 10}, 200.0, 1, {2: 8, 5: 2}, {bucket_of(150): 1}, 150.0
        )
        usage = RevisionUsage("admin", "hello", 1, 2, 1000, 0.5, 4000, 1.5, {"ready": 1, "frozen": 1})
        pools = (PoolUsage("python", 2, hits=3, misses=1),)
        counts = FunctionCounts("admin", "hello", 4, 1, 2, 33.0, 5, 1, 9, 1, 6)
        load = RevisionLoad("admin", "hello", 1, in_progress=3, issued=0, waiting=1)
        for subject, message in (
            (LOAD_SUBJECT, LoadReport("gateway", "gateway.local", now, (load,))),
            (CALLS_SUBJECT, CallsReport("gateway", "gateway.local", now, (calls,))),
            (COUNTS_SUBJECT, CountsReport("invoker.local", now, (counts,), 40, 10, 2, 50.0)),
            (
                USAGE_SUBJECT,
                UsageReport("manager.local", now, 5.0, (usage,), pools, 1_000_000, 4000),
            ),
            ("ffx.event.instance.crashed.admin.hello", {}),
            (f"{SCALE_SUBJECT}.admin.hello", _desired(_decision(1, 3, "concurrency", 10.0), at=10.0)),
            # of the second revision something new, of the first what was told before
            (
                f"{SCALE_SUBJECT}.admin.hello",
                _desired(_decision(1, 3, "concurrency", 10.0), _decision(2, 0, "idle", 20.0), at=20.0),
            ),
        ):
            await self.bus.publish(subject, encode(message))
        await eventually(lambda: sum(self.services.decisions.totals.values()) == 2, "both decisions are taken")
        await eventually(lambda: self.services.measures.over(HELLO, 60).crashes == 1, "the crash is taken")
        await eventually(lambda: self.services.measures.memory_bytes(HELLO), "usage is taken")

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def _decision(before: int, to: int, signal: str, at: float) -> ScaleDecision:
    return ScaleDecision(before, to, signal, 1.0, 1.0, "calls", "because", at)


def _desired(*decisions: ScaleDecision, at: float) -> DesiredScale:
    numbered = dict(enumerate(decisions, start=1))
    return DesiredScale("u", {number: one.to for number, one in numbered.items()}, "", at, numbered)


@pytest.fixture
async def told(client: httpx.AsyncClient, bus: MemoryBus) -> Telling:
    made = Telling(client, bus)
    await made.everything()
    return made


async def test_a_functions_figures(told: Telling) -> None:
    found = await told.get("/functions/admin/hello/metrics")
    wanted = {
        "answers": {"2xx": 8, "3xx": 0, "4xx": 0, "5xx": 2},
        "in_progress": 3,
        "waiting": 1,
        "refused": 6,
        "queued": 4,
        "delayed": 1,
        "oldest_s": 33.0,
        "retries": 5,
        "dead_letters": 1,
        "crashes": 1,
        "cache": {"hits": 9, "misses": 1, "hit_ratio": 0.9},
        "instances_by_state": {"frozen": 1, "ready": 1},
        "memory_bytes": 1000,
        "memory_limit_bytes": 4000,
        "cpu_limit": 1.5,
    }
    assert {name: found[name] for name in wanted} == wanted
    assert 140 <= found["cold_start_ms"]["p50"] <= found["cold_start_ms"]["p95"] <= 160
    assert "points" not in found


async def test_a_series_for_a_console(told: Telling) -> None:
    found = await told.get("/functions/admin/hello/metrics", window_s=60, step_s=10)
    assert found["step_s"] == 10
    assert len(found["points"]) == 6
    times = [point["at"] for point in found["points"]]
    assert times == sorted(times)
    *_, before, last = found["points"]
    assert before["calls_per_s"] + last["calls_per_s"] == 1.0
    assert max(before["memory_bytes"], last["memory_bytes"]) == 1000
    assert max(before["in_progress"], last["in_progress"]) == 3
    assert max(before["queued"], last["queued"]) == 5
    uneven = await told.get("/functions/admin/hello/metrics", window_s=60, step_s=59)
    calls = sum(point["calls_per_s"] * took_s for point, took_s in zip(uneven["points"], (59, 1), strict=True))
    assert calls == pytest.approx(10)
    long = await told.get("/functions/admin/hello/metrics", window_s=3600, step_s=2)
    assert (long["step_s"], len(long["points"])) == (60, 60), "by the minute is what is kept"
    refused = await told.client.get("/functions/admin/hello/metrics", params={"window_s": 60, "step_s": 0.01})
    assert code_of(refused)[0] == 422


async def test_those_that_are_active_alone(told: Telling) -> None:
    assert [one["name"] for one in (await told.get("/functions/metrics"))["items"]] == ["hello", "idle"]
    assert [one["name"] for one in (await told.get("/functions/metrics", active=True))["items"]] == ["hello"]
    narrowed = await told.get("/functions/metrics", active=True, namespace="other")
    assert narrowed == {"items": [], "next": None}


async def test_the_platform_together(told: Telling) -> None:
    found = await told.get("/platform/metrics", step_s=10)
    wanted = {
        "functions": {"building": 2},
        "revisions": 2,
        "in_progress": 3,
        "queued": 40,
        "delayed": 10,
        "oldest_s": 50.0,
        "retries": 5,
        "memory_bytes": 1000,
        "memory_budget_bytes": 1_000_000,
        "memory_reserved_bytes": 4000,
        "pools": {"python": {"size": 2, "hits": 3, "misses": 1}},
        "scale_decisions": [
            {"signal": "concurrency", "direction": "up", "count": 1},
            {"signal": "idle", "direction": "down", "count": 1},
        ],
    }
    # the decision on revision 2 was the second of its kind: from one instance to none
    assert {name: found[name] for name in wanted} == wanted
    assert found["processes"]["api"]["resident_bytes"] > 0
    assert sum(point["calls_per_s"] for point in found["points"]) == 1.0


async def test_prometheus_has_all_of_it(told: Telling) -> None:
    lines = (await told.client.get("/metrics")).text.splitlines()
    names = 'namespace="admin",function="hello"'
    for line in (
        f'ffx_call_answers_total{{{names},class="2xx"}} 8',
        f'ffx_call_answers_total{{{names},class="5xx"}} 2',
        f"ffx_calls_refused_total{{{names}}} 6",
        f'ffx_cold_start_duration_seconds_bucket{{{names},le="0.1"}} 0',
        f'ffx_cold_start_duration_seconds_bucket{{{names},le="0.25"}} 1',
        f"ffx_cold_start_duration_seconds_sum{{{names}}} 0.15",
        f'ffx_instances{{{names},state="frozen"}} 1',
        f"ffx_memory_limit_bytes{{{names}}} 4000",
        f"ffx_cpu_limit_cores{{{names}}} 1.5",
        f'ffx_queue_calls{{{names},state="due"}} 4',
        f'ffx_queue_calls{{{names},state="delayed"}} 1',
        f"ffx_queue_running_calls{{{names}}} 2",
        f"ffx_queue_oldest_seconds{{{names}}} 33",
        'ffx_queue_all_calls{state="due"} 40',
        f"ffx_queue_retries_total{{{names}}} 5",
        f"ffx_queue_dead_letters_total{{{names}}} 1",
        f"ffx_cache_hits_total{{{names}}} 9",
        f"ffx_cache_misses_total{{{names}}} 1",
        f"ffx_instance_crashes_total{{{names}}} 1",
        'ffx_scale_decisions_total{signal="concurrency",direction="up"} 1',
        'ffx_scale_decisions_total{signal="idle",direction="down"} 1',
        'ffx_pool_sandboxes{language="python"} 2',
        'ffx_pool_hits_total{language="python"} 3',
        'ffx_pool_misses_total{language="python"} 1',
        "ffx_node_memory_budget_bytes 1000000",
        "ffx_node_memory_reserved_bytes 4000",
        'ffx_functions{state="building"} 2',
    ):
        assert line in lines, line
    assert not [line for line in lines if 'function="idle"' in line], "of idle ones there are no series"
    assert any(line.startswith('ffx_process_resident_memory_bytes{process="api"} ') for line in lines)
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    shared = {"F": "namespace, function"}
    for line in lines:
        found = re.match(r"(ffx_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", line)
        assert found or line.startswith("#"), line
        if found:
            told = re.search(rf"^\| `{found[1]}` \| \w+ \|([^|]*)\|", page, re.MULTILINE)
            assert told, found[1]
            names = re.findall(r'(\w+)="', found[2] or "")
            wanted = ", ".join(shared.get(name.strip(), name.strip()) for name in told[1].split(",")).split(", ")
            assert sorted(name for name in names if name != "le") == sorted(filter(None, wanted)), line


async def test_what_is_deleted_has_no_series_while_its_instances_end(told: Telling) -> None:
    await told.bus.bucket("ffx_functions", object).delete("admin.hello")
    await eventually(lambda: not told.services.exists(HELLO), "it is gone")
    assert 'function="hello"' not in (await told.client.get("/metrics")).text
    assert (await told.get("/functions/metrics", active=True))["items"] == []


async def test_states_are_counted_as_they_change(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    services = client._transport.app.state.services  # type: ignore[attr-defined]
    for name in ("a", "b"):
        await client.post("/functions/register", json=function(name))
    await eventually(lambda: services.census.states == {"building": 2}, "two are there")
    record = services.registry.functions.entries["admin.a"].value
    status = FunctionStatus(record.uid, {1: RevisionStatus("ready", first_ready_at=1.0, ready_instances=2)})
    await bus.bucket("ffx_status", FunctionStatus).put("admin.a", status)
    await eventually(lambda: services.census.states == {"building": 1, "ready": 1}, "one of them is ready")
    assert services.census.ready() == [(FunctionName("admin", "a"), 2)]
    assert services.census.revisions == 2
    for key in ("admin.a", "admin.b"):
        await bus.bucket("ffx_functions", type(record)).delete(key)
    await eventually(lambda: not services.census.states, "none is left")
    assert (services.census.revisions, services.census.ready()) == (0, [])


async def test_who_may_not_read_the_platform_is_not_told_of_it(bus: MemoryBus) -> None:
    async with api_world(bus) as world:
        ada = await world.person("ada")
        assert (await world.ask(ada, "GET", "/platform/metrics")).status_code == 403
        assert (await world.ask(ada, "GET", "/alerts")).json() == {"items": []}
        assert (await world.client.get("/platform/metrics")).status_code == 401
        await world.made(await world.person("olga", "operator"), "GET", "/platform/metrics")
