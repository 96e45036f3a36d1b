"""Metrics of a whole platform: known latencies, errors, a cold start, overflow; each call counted once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.model.durations import bucket_of, edges
from support.collector import Collector, collector_thread
from support.platform_process import Platform, processes_with, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SLEEP_MS = 50
CODE = """
import asyncio
async def handle(event, context):
    kind = event.query.get("kind", [""])[0]
    if kind == "error":
        raise RuntimeError("as asked")
    if kind == "work":
        sum(n * n for n in range(3_000_000))
    await asyncio.sleep(0.05)
    return kind
"""
WITHIN_S = 40.0
SAMPLE = re.compile(r'(\w+)\{namespace="admin",function="([a-z-]+)"(?:,le="([^"]+)")?\} (\S+)')


class Watcher:
    """Calls functions and reads what the platform says of them."""

    def __init__(self, platform: Platform, collector: Collector) -> None:
        self.platform = platform
        self.collector = collector
        self.http = platform.client()
        self._marks = 0

    def register(self, name: str, **fields: Any) -> None:
        body = {"name": name, "runtime": "python", "source": {"files": {"main.py": CODE}}, **fields}
        answer = self.http.post("/functions/register?wait_s=60", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"]["state"] == "ready", answer.text

    def call(self, name: str, kind: str = "") -> httpx.Response:
        return self.http.post(f"/f/admin/{name}", params={"kind": kind})

    def execute(self, name: str) -> None:
        answer = self.http.post("/functions/execute", json={"function": f"admin/{name}"})
        assert answer.json()["status"] == "succeeded", answer.text

    def metrics(self, name: str) -> Any:
        answer = self.http.get(f"/functions/admin/{name}/metrics?window_s=600")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sample(self, family: str, name: str, le: str = "") -> float | None:
        """Of the Prometheus text; None where there is no such series."""
        for found in SAMPLE.finditer(self.http.get("/metrics").text):
            if found[1] == family and found[2] == name and (found[3] or "") == le:
                return float(found[4])
        return None

    def until(self, name: str, **wanted: float) -> None:
        """Wait for exact values of ``ffx_<name>``."""
        families = {f"ffx_{family}": value for family, value in wanted.items()}
        seen: dict[str, float | None] = {}

        def holds() -> bool:
            seen.update({family: self.sample(family, name) for family in families})
            return seen == families

        try:
            wait_for(holds, WITHIN_S, f"{name}: {families}")
        except AssertionError as error:
            raise AssertionError(f"{error}; but {seen}") from error

    def everything_told(self) -> None:
        """Return when gateway and invoker have told of all calls that ended before: they then tell of these, too."""
        before = self.sample("ffx_calls_total", "marker") or 0
        assert self.call("marker").status_code == 200  # through the gateway
        self.execute("marker")  # through the invoker
        self.until("marker", calls_total=before + 2, call_duration_seconds_count=before + 2)

    def instances(self, name: str) -> int:
        return int(self.http.get(f"/functions/admin/{name}").json()["status"]["ready_instances"])

    def to_zero(self, name: str) -> None:
        assert self.http.put(f"/functions/admin/{name}/scale", json={"instances": 0}).is_success
        wait_for(lambda: self.instances(name) == 0, WITHIN_S, f"{name} has no instance")


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    with collector_thread() as collector:
        settings = folder / "settings.toml"
        settings.write_text(f'otlp_endpoint = "{collector.url}"\ntrace_ratio = 0\n')
        platform = Platform(folder / "d", "--config", str(settings))
        try:
            made = Watcher(platform.start(), collector)
            made.register("marker", scaling={"min_instances": 1})
            yield made
        finally:
            platform.end()
    assert processes_with(platform.data) == {}
    shutil.rmtree(folder, ignore_errors=True)


def timed(act: Callable[[], httpx.Response]) -> tuple[float, int]:
    begun = time.perf_counter()
    status = act().status_code
    return (time.perf_counter() - begun) * 1000, status


def test_latencies_errors_and_usage(watcher: Watcher) -> None:
    watcher.register("steady", scaling={"min_instances": 1})
    took = [timed(lambda kind=kind: watcher.call("steady", kind)) for kind in [""] * 20 + ["error"] * 5]  # type: ignore[misc]
    assert [status for _, status in took] == [200] * 20 + [500] * 5
    watcher.until("steady", calls_total=25, call_errors_total=5, call_duration_seconds_count=25, cold_starts_total=0)
    wait_for(lambda: watcher.metrics("steady")["in_progress"] == 0, WITHIN_S, "the newest load reports are in")
    found = watcher.metrics("steady")
    slowest_ms = max(ms for ms, _ in took)
    latency = found["latency_ms"]
    assert SLEEP_MS <= latency["p50"] <= latency["p95"] <= latency["p99"]
    assert latency["p99"] <= edges(bucket_of(slowest_ms))[1], "nothing took longer than it took the caller"
    assert found["error_rate"] == 0.2
    assert (found["cold_starts"], found["in_progress"], found["instances"]) == (0, 0, 1)
    assert found["calls_per_s"] > 0
    assert (watcher.sample("ffx_call_duration_seconds_bucket", "steady", "0.05") or 0) <= 5, (
        "an error sleeps not, a call does"
    )
    assert (watcher.sample("ffx_call_duration_seconds_sum", "steady") or 0) * 1000 >= 20 * SLEEP_MS

    def works() -> bool:
        assert watcher.call("steady", "work").status_code == 200
        now = watcher.metrics("steady")
        return bool(now["cpu"]) and now["cpu"] > 0.01 and now["memory_bytes"] > 1_000_000

    wait_for(works, WITHIN_S, "work that is told")
    assert (watcher.sample("ffx_cpu_seconds_total", "steady") or 0) > 0
    assert (watcher.sample("ffx_memory_bytes", "steady") or 0) > 1_000_000


def test_the_machine_itself_needs_no_token(watcher: Watcher) -> None:
    assert httpx.get(f"{watcher.platform.url}/metrics").status_code == 200
    elsewhere = {"X-Forwarded-For": "203.0.113.5"}  # as a proxy on this machine says it
    assert httpx.get(f"{watcher.platform.url}/metrics", headers=elsewhere).status_code == 401


def test_overflow_is_counted_once(watcher: Watcher) -> None:
    watcher.register("narrow", limits={"concurrency": 1}, scaling={"min_instances": 1, "max_instances": 1})
    with ThreadPoolExecutor(12) as callers:
        took = list(callers.map(lambda _: timed(lambda: watcher.call("narrow")), range(12)))
    assert {status for _, status in took} == {200}
    watcher.everything_told()
    watcher.until("narrow", calls_total=12, call_errors_total=0, call_duration_seconds_count=12)
    found = watcher.metrics("narrow")
    assert found["error_rate"] == 0
    assert found["latency_ms"]["p99"] >= 6 * SLEEP_MS, "the wait for a place is in it: the last waited for eleven"


def test_a_cold_start_and_calls_past_the_gateway_are_counted(watcher: Watcher) -> None:
    watcher.register("sleepy")
    watcher.to_zero("sleepy")
    answer = watcher.call("sleepy")
    assert answer.status_code == 200
    assert answer.headers["server-timing"].startswith("ffx-start;dur=")
    for _ in range(2):
        watcher.execute("sleepy")
    watcher.everything_told()
    watcher.until("sleepy", calls_total=3, call_errors_total=0, call_duration_seconds_count=3, cold_starts_total=1)
    found = watcher.metrics("sleepy")
    started_ms = float(answer.headers["server-timing"].partition("dur=")[2])
    assert found["cold_starts"] == 1
    assert found["latency_ms"]["p99"] >= edges(bucket_of(started_ms))[0], "the start is in it"


def test_a_function_that_is_gone_has_no_series(watcher: Watcher) -> None:
    watcher.register("brief")
    assert watcher.call("brief").status_code == 200
    watcher.until("brief", calls_total=1)
    assert watcher.http.delete("/functions/admin/brief").status_code == 204
    watcher.everything_told()
    assert 'function="brief"' not in watcher.http.get("/metrics").text


def test_after_a_restart_of_the_api_nothing_is_told_twice(watcher: Watcher) -> None:
    watcher.register("again", scaling={"min_instances": 1})
    for _ in range(4):
        watcher.call("again")
    watcher.until("again", calls_total=4)
    pid = watcher.platform.pids["control"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: watcher.platform.pids.get("control", pid) != pid, WITHIN_S, "another control process")
    wait_for(watcher.platform.ready, WITHIN_S, "it is ready again")

    def marked() -> bool:  # the first question for Envoy's counts is the base: what came before it is lost
        watcher.call("marker")
        return bool(watcher.sample("ffx_calls_total", "marker"))

    wait_for(marked, WITHIN_S, "calls are told again")
    assert not watcher.sample("ffx_calls_total", "again")
    assert watcher.metrics("again")["calls_per_s"] == 0
    watcher.call("again")
    watcher.until("again", calls_total=1)


def test_a_call_is_one_trace_from_the_gateway_to_the_function(watcher: Watcher) -> None:
    """Of those alone whose caller wants it: the ratio is 0."""
    watcher.register(
        "traced", source={"files": {"main.py": "def handle(event, context):\n    return context.traceparent\n"}}
    )
    watcher.to_zero("traced")
    assert not watcher.collector.spans
    trace = "0123456789abcdef0123456789abcdef"
    asked = {"traceparent": f"00-{trace}-00000000000000aa-01"}
    cold = watcher.http.get("/f/admin/traced", headers=asked).text
    wait_for(lambda: len(watcher.collector.spans) >= 5, WITHIN_S, "the spans of a cold call")
    spans = {span.span_id: span for span in watcher.collector.spans}
    assert {span.trace_id for span in spans.values()} == {trace}
    told = spans[cold.split("-")[2]]
    names = [told.name]
    while (above := spans.get(told.parent_id)) is not None:
        told = above
        names.append(told.name)
    assert names == ["admin/traced", "call admin/traced", "ffx-invoker", "GET gateway"]
    assert told.parent_id == "00000000000000aa"
    assert "wait for start" in {span.name for span in spans.values()}
    watcher.collector.spans.clear()
    warm = watcher.http.get("/f/admin/traced", headers=asked).text
    wait_for(lambda: len(watcher.collector.spans) >= 2, WITHIN_S, "the spans of a warm call")
    spans = {span.span_id: span for span in watcher.collector.spans}
    assert spans[warm.split("-")[2]].name.startswith("f/admin/traced/")
    assert {span.service for span in spans.values()} == {"faasioflex-gateway"}, "the direct path is direct"


def test_the_platform_tells_of_itself(watcher: Watcher) -> None:
    def told() -> bool:
        text = watcher.http.get("/metrics").text
        return all(
            found in text
            for found in (
                'ffx_instances{namespace="admin",function="marker",state="ready"} 1',
                'ffx_scale_decisions_total{signal="asked-for",direction="down"}',
                'ffx_pool_sandboxes{language="python"}',
                "ffx_node_memory_budget_bytes ",
                *(
                    f'ffx_process_open_fds{{process="{name}"}}'
                    for name in ("supervisor", "control", "invoker", "launcher", "nats", "envoy", "egress")
                ),
            )
        )

    wait_for(told, WITHIN_S, "all of it is in /metrics")
