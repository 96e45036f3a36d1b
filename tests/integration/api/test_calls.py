"""Execute, invocations, metrics."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from faasioflex.api import invoker
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.durations import bucket_of
from faasioflex.model.invocation import Invocation
from faasioflex.model.messages import (
    CallsReport,
    LoadReport,
    RevisionCalls,
    RevisionLoad,
    RevisionUsage,
    UsageReport,
)
from faasioflex.model.names import FunctionName
from support.api_client import api, code_of, function
from support.deadline import eventually
from support.line_client import served
from support.manager_double import obliging_manager


class Invoker:
    """Answers ``POST /.ffx/execute`` as a test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[tuple[bytes, dict[str, str]]] = []
        self.answer = web.json_response({"invocation_id": "x"})
        self.holds = False
        self.left = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/.ffx/execute", self._execute)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _execute(self, request: web.Request) -> web.Response:
        self.seen.append((await request.read(), {name.lower(): value for name, value in request.headers.items()}))
        if self.holds:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        answer = self.answer
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


@pytest.fixture
async def fake_invoker() -> AsyncIterator[Invoker]:
    with tempfile.TemporaryDirectory(prefix="ffx-inv-") as folder:
        made = Invoker(Path(folder) / "i.sock")
        yield made
        await made.stop()


async def test_a_call_goes_to_the_invoker_as_it_came(bus: MemoryBus, fake_invoker: Invoker) -> None:
    await fake_invoker.start()
    async with api(bus, invoker_socket=fake_invoker.path) as client:
        body = b'{"function": "hello", "payload": {"a": [1e400, "\\u00e9"]}, "timeout_s": 3}'
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        headers = {
            "content-type": "application/json",
            "x-request-id": "r-1",
            "traceparent": trace,
            "x-ffx-function": "no",
        }
        answer = await client.post("/functions/execute", content=body, headers=headers)
        assert answer.json() == {"invocation_id": "x"}
        sent, seen = fake_invoker.seen[0]
        assert sent == body
        assert (seen["x-request-id"], seen["traceparent"]) == ("r-1", trace)
        assert "x-ffx-function" not in seen
        fake_invoker.answer = web.Response(
            body=b'{"code": "queue-full"}',
            status=429,
            headers={"Retry-After": "3", "Server-Timing": "ffx-start;dur=5", "X-Inner": "1"},
            content_type="application/problem+json",
        )
        refused = await client.post("/functions/execute", content=body, headers=headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert refused.headers["server-timing"] == "ffx-start;dur=5"
        assert "x-inner" not in refused.headers


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"mode": "later"}, (422, "invalid")),
        ({"idempotency_key": ""}, (422, "invalid")),
        ({"callback": "https://hooks.example"}, (422, "invalid")),
        ({"mode": "async", "callback": {"secret": "x"}}, (422, "invalid")),
        ({"mode": "async", "not_before": "soon"}, (422, "invalid")),
        ({"function": "A/b"}, (422, "invalid")),
        ({"function": "a/b/c"}, (422, "invalid")),
        ({"function": 1}, (422, "invalid")),
        ({"timeout_s": 0}, (422, "invalid")),
        ({"revision": 0}, (422, "invalid")),
        ({"x": 0}, (422, "invalid")),
    ],
)
async def test_calls_that_are_refused(
    client: httpx.AsyncClient, fields: dict[str, object], expected: tuple[int, str]
) -> None:
    assert code_of(await client.post("/functions/execute", json={"function": "hello"} | fields)) == expected


async def test_a_call_waits_for_an_invoker_that_comes_back(
    bus: MemoryBus, fake_invoker: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api(bus, invoker_socket=fake_invoker.path) as client:
        calling = asyncio.create_task(client.post("/functions/execute", json={"function": "hello"}))
        await asyncio.sleep(0)
        await fake_invoker.start()
        assert (await calling).status_code == 200
        await fake_invoker.stop()
        monkeypatch.setattr(invoker, "RETRY_FOR_S", 0.2)
        gone = await client.post("/functions/execute", json={"function": "hello"})
        assert code_of(gone)[0] in (502, 503)


async def test_a_caller_that_leaves_takes_the_call_along(bus: MemoryBus, fake_invoker: Invoker) -> None:
    fake_invoker.holds = True
    await fake_invoker.start()
    async with served(bus, fake_invoker.path) as (_, client):
        calling = asyncio.create_task(client.post("/functions/execute", json={"function": "hello"}))
        await eventually(lambda: fake_invoker.seen, "the call arrives")
        calling.cancel()
        await asyncio.wait_for(fake_invoker.left.wait(), 10)


def call(status: str, **fields: object) -> Invocation:
    made = {"revision": 1, "result": None, "error": None, "attempts": 1, "created_at": 1.0, "started_at": None}
    rest = {"finished_at": None, "duration_ms": None}
    return Invocation("inv-1", "admin/hello", status=status, **{**made, **rest, **fields})  # type: ignore[arg-type]


async def test_metrics_are_what_the_parts_tell(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    async with obliging_manager(bus):
        await client.post("/functions/register?wait_s=10", json=function())
    for source in ("gateway", "invoker"):
        loads = (RevisionLoad("admin", "hello", 1, in_progress=2, issued=30, waiting=1),)
        await bus.publish("ffx.load", encode(LoadReport(source, f"{source}.local", time.time(), loads)))  # type: ignore[arg-type]
        calls = (
            RevisionCalls("admin", "hello", 1, 30, 3, {bucket_of(50): 30}, 1500.0, 1 if source == "invoker" else 0),
        )
        await bus.publish("ffx.measure.calls", encode(CallsReport(source, f"{source}.local", time.time(), calls)))  # type: ignore[arg-type]
    usages = (RevisionUsage("admin", "hello", 1, 1, 5_000_000, 1.25),)
    await bus.publish("ffx.measure.usage", encode(UsageReport("manager.local", time.time(), 5.0, usages)))
    await bus.publish("ffx.load", b"nonsense")
    services = client._transport.app.state.services  # type: ignore[attr-defined]
    hello = FunctionName("admin", "hello")
    await eventually(lambda: services.load.now().get(hello) == (4, 2), "the loads are taken")
    await eventually(lambda: services.measures.memory_bytes(hello), "and what came after the calls")
    found = (await client.get("/functions/admin/hello/metrics?window_s=60")).json()
    assert found.pop("calls_per_s") > 1
    assert 50 <= found["latency_ms"].pop("p50") < found["latency_ms"].pop("p95") < found["latency_ms"].pop("p99") < 55
    assert found == {
        "window_s": 60,
        "error_rate": 0.1,
        "answers": {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0},
        "latency_ms": {},
        "refused": 0,
        "in_progress": 4,
        "waiting": 2,
        "instances": 1,
        "instances_by_state": {"ready": 1},
        "cpu": 0.25,
        "cpu_limit": 0.0,
        "memory_bytes": 5_000_000,
        "memory_limit_bytes": 0,
        "cold_starts": 1,
        "cold_start_ms": {"p50": None, "p95": None},
        "crashes": 0,
        "queued": 0,
        "delayed": 0,
        "oldest_s": 0.0,
        "retries": 0,
        "dead_letters": 0,
        "cache": {"hits": 0, "misses": 0, "hit_ratio": None},
        "alerts": [],
    }
    lines = (await client.get("/metrics")).text.splitlines()
    of_hello = '{namespace="admin",function="hello"}'
    for line in (
        f"ffx_calls_total{of_hello} 60",
        f"ffx_call_errors_total{of_hello} 6",
        'ffx_call_duration_seconds_bucket{namespace="admin",function="hello",le="0.05"} 0',
        'ffx_call_duration_seconds_bucket{namespace="admin",function="hello",le="0.1"} 60',
        'ffx_call_duration_seconds_bucket{namespace="admin",function="hello",le="+Inf"} 60',
        f"ffx_call_duration_seconds_sum{of_hello} 3",
        f"ffx_call_duration_seconds_count{of_hello} 60",
        f"ffx_cold_starts_total{of_hello} 1",
        f"ffx_cpu_seconds_total{of_hello} 1.25",
        f"ffx_memory_bytes{of_hello} 5000000",
        f"ffx_calls_in_progress{of_hello} 4",
        f"ffx_calls_waiting{of_hello} 2",
        f"ffx_instances_ready{of_hello} 1",
        'ffx_functions{state="ready"} 1',
        "# TYPE ffx_call_duration_seconds histogram",
    ):
        assert line in lines


async def test_a_function_without_calls_or_instances_has_no_series(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function())
    found = (await client.get("/functions/admin/hello/metrics")).json()
    assert (found["calls_per_s"], found["error_rate"], found["latency_ms"]["p50"]) == (0, 0, None)
    assert 'function="hello"' not in (await client.get("/metrics")).text


async def test_readiness_tells_which_part_is_missing(bus: MemoryBus) -> None:
    parts: dict[str, str | None] = {"bus": None, "gateway": "Envoy has not connected"}
    async with api(bus, readiness=lambda: parts) as client:
        answer = await client.get("/readyz")
        assert code_of(answer) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert "gateway: Envoy has not connected" in answer.json()["detail"]
        parts["gateway"] = None
        assert (await client.get("/readyz")).json() == {"status": "ready", "parts": {"bus": None, "gateway": None}}
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert set((await client.get("/version")).json()) == {"name", "version"}


async def test_the_docs_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert "http://" not in page.text
    assert "https://" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 2
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert json.dumps(document).count("HTTPValidationError") == 0
