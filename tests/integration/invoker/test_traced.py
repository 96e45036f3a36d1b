"""Spans of the invoker, at a collector that reads OTLP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from faasioflex.gateway.envoy.settings import Tracing
from faasioflex.platform.tracing import SERVICE, OtlpTraces
from support.collector import Collector, Span, collector
from support.deadline import eventually
from support.invoker_world import World, world

TRACE, PARENT = "0123456789abcdef0123456789abcdef", "00000000000000aa"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}


@dataclass
class Traced:
    world: World
    seen: Collector

    async def spans(self, count: int) -> list[Span]:
        """Wait for exactly so many, by their beginning."""
        await eventually(lambda: len(self.seen.spans) >= count, f"{count} spans")
        assert len(self.seen.spans) == count, self.seen.spans
        assert {span.service for span in self.seen.spans} == {SERVICE}
        found, self.seen.spans = sorted(self.seen.spans, key=lambda span: (span.begin, span.name)), []
        return found


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    async with collector() as seen:
        traces = OtlpTraces(Tracing(seen.url, 1.0, (("x-api-key", "of tests"),)), every_s=0.05)
        async with world(traces=traces) as made:
            yield Traced(made, seen)


async def test_a_cold_start_is_seen_and_the_function_is_told_of_its_try(traced: Traced) -> None:
    here = traced.world
    await here.route("hello")
    assert (await here.call("POST", "/f/acme/hello", headers=SAMPLED))[0] == 200
    call, wait, attempt = await traced.spans(3)
    assert (call.name, call.parent_id, call.trace_id) == ("call acme/hello", PARENT, TRACE)
    assert call.tags["http.response.status_code"] == 200
    assert call.tags["http.request.method"] == "POST"
    assert call.tags["faas.coldstart"] is True
    assert call.tags["ffx.request_id"]
    assert (wait.name, wait.parent_id) == ("wait for start", call.span_id)
    assert (attempt.name, attempt.parent_id, attempt.trace_id) == ("acme/hello", call.span_id, TRACE)
    assert attempt.tags["faas.instance"] == here.instances[0].endpoint.instance
    assert call.begin <= wait.begin <= wait.end <= attempt.end <= call.end
    told = here.instances[0].seen[-1].headers
    assert told["traceparent"] == f"00-{TRACE}-{attempt.span_id}-01"
    assert told["tracestate"] == "vendor=1"
    assert {each.get("x-api-key") for each in traced.seen.headers} == {"of tests"}


async def test_what_fails_says_so_and_each_try_is_a_span(traced: Traced) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        if len(answered) == 0:
            answered.append(1)
            return web.Response(status=429, headers={"x-ffx-overflow": "1"})
        return web.Response(status=500)

    answered: list[int] = []
    here = traced.world
    await here.route("hello", await here.instance(behaviour=behave))
    assert (await here.call("GET", "/f/acme/hello", headers=SAMPLED))[0] == 500
    spans = [span for span in await traced.spans(4) if span.name != "wait for a place"]
    call, first, second = spans
    assert (call.failed, first.failed, second.failed) == (True, True, True)
    assert "http.response.status_code" not in first.tags
    assert second.tags["http.response.status_code"] == 500
    assert (await here.problem("GET", "/f/acme/nobody", headers=SAMPLED))["status"] == 404
    (call,) = await traced.spans(1)
    assert (call.tags["error.type"], call.failed) == ("function-not-found", False)


async def test_who_decided_not_to_be_traced_is_not_and_who_did_not_decide_goes_by_the_ratio(traced: Traced) -> None:
    here = traced.world
    await here.route("hello", await here.instance())
    unsampled = SAMPLED["traceparent"].removesuffix("01") + "00"
    await here.call("GET", "/f/acme/hello", headers={"traceparent": unsampled})
    assert here.instances[0].seen[-1].headers["traceparent"] == unsampled
    await here.call_over_bus("hello", b"1")
    call, attempt = await traced.spans(2)
    assert (call.parent_id, attempt.parent_id) == ("", call.span_id)
    assert call.trace_id != TRACE
    told = here.instances[0].seen[-1].headers["traceparent"]
    assert told.split("-")[:3] == ["00", call.trace_id, attempt.span_id]
    assert int(told.split("-")[3], 16) & 1


@pytest.mark.parametrize("flags", ["01", "00"])
async def test_a_queued_run_is_a_trace_of_its_own_with_a_link_to_the_request_that_queued_it(
    traced: Traced, flags: str
) -> None:
    here = traced.world
    await here.route("hello", await here.instance())
    body = json.dumps({"function": "acme/hello", "payload": 1, "mode": "async"})
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "Content-Type": "application/json"}
    async with here.request("POST", "/.ffx/execute", data=body, headers=headers) as got:
        assert got.status == 202, await got.text()
    await eventually(lambda: here.instances[0].seen, "it has run")
    if flags == "00":
        assert not traced.seen.spans
        return
    call, attempt = await traced.spans(2)
    assert call.links == ((TRACE, PARENT),)
    assert call.parent_id == ""
    assert call.trace_id == attempt.trace_id != TRACE
    assert here.instances[0].seen[-1].headers["traceparent"].split("-")[1] == call.trace_id


async def test_a_collector_that_is_away_harms_nobody() -> None:
    async with world(traces=OtlpTraces(Tracing("http://127.0.0.1:9/v1/traces", 1.0))) as here:
        await here.route("hello", await here.instance())
        assert (await here.call("GET", "/f/acme/hello"))[0] == 200
