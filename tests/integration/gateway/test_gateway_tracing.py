"""Spans of the gateway, at a collector that reads OTLP."""

from __future__ import annotations

from faasioflex.gateway.envoy.settings import Tracing
from faasioflex.gateway.envoy.tracing import SERVICE
from support.collector import collector
from support.envoy import revision, stack, table
from support.origin import until

CALLERS = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-{flags}"


async def test_a_call_is_a_trace_and_the_function_is_told_of_it() -> None:
    async with collector() as seen:
        tracing = Tracing(seen.url, 1.0, (("x-api-key", "of tests"),))
        async with stack(tracing=tracing) as world:
            instance = await world.instance("live")
            await world.gateway.apply(table(1, acme_live=[revision(4, instance)]))
            assert (await world.get("/f/acme/live/x?token=secret"))[0] == 200
            await until(lambda: len(seen.of(SERVICE)) == 2)
            entry = next(span for span in seen.spans if not span.parent_id)
            attempt = next(span for span in seen.spans if span.parent_id)
            assert (attempt.trace_id, attempt.parent_id) == (entry.trace_id, entry.span_id)
            assert (entry.name, attempt.name) == ("GET gateway", "f/acme/live/4")
            assert entry.begin <= attempt.begin <= attempt.end <= entry.end
            assert entry.tags["http.status_code"] == "200"
            assert entry.tags["http.url"].endswith("/f/acme/live/x"), "without the query"
            assert "secret" not in str([span.tags for span in seen.spans])
            told = instance.seen[-1].headers["traceparent"]
            assert told == f"00-{entry.trace_id}-{attempt.span_id}-01"
            assert {each.get("x-api-key") for each in seen.headers} == {"of tests"}

            # a caller's own trace goes on, with its decision
            seen.spans.clear()
            for flags in ("01", "00"):
                headers = {"traceparent": CALLERS.format(flags=flags), "tracestate": "vendor=1"}
                await world.get("/f/acme/live", headers=headers)
                told = instance.seen[-1].headers["traceparent"]
                assert told.startswith("00-0123456789abcdef0123456789abcdef-")
                assert told.endswith(f"-{flags}")
                assert told.split("-")[2] != "0123456789abcdef"
                assert instance.seen[-1].headers["tracestate"] == "vendor=1"
            await until(lambda: len(seen.of(SERVICE)) >= 2)
            assert {span.trace_id for span in seen.spans} == {"0123456789abcdef0123456789abcdef"}
            assert len([span for span in seen.spans if span.parent_id == "0123456789abcdef"]) == 1

            # what overflows is one trace, with a span for each try
            seen.spans.clear()
            instance.concurrency = 0
            assert await world.get("/f/acme/live") == (200, "invoker")
            await until(lambda: len(seen.of(SERVICE)) == 3)
            entry = next(span for span in seen.spans if not span.parent_id)
            tries = sorted((span for span in seen.spans if span.parent_id), key=lambda span: span.begin)
            assert [span.tags["http.status_code"] for span in tries] == ["429", "200"]
            assert world.invoker.seen[-1].headers["traceparent"].split("-")[1:3] == [entry.trace_id, tries[1].span_id]


async def test_whatever_the_ratio_a_caller_decides_of_its_own_trace() -> None:
    async with collector() as seen, stack(tracing=Tracing(seen.url, 0.0)) as world:
        instance = await world.instance("live")
        await world.gateway.apply(table(1, acme_live=[revision(4, instance)]))
        for flags in ("01", "00"):
            await world.get("/f/acme/live", headers={"traceparent": CALLERS.format(flags=flags)})
            assert instance.seen[-1].headers["traceparent"].endswith(f"-{flags}")
        await until(lambda: len(seen.spans) == 2)


async def test_none_is_made_where_the_ratio_says_so_and_a_collector_that_is_away_harms_nobody() -> None:
    tracing = Tracing("https://localhost:9/v1/traces", 0.0)  # with TLS, which Envoy takes or does not start
    async with stack(tracing=tracing) as world:
        instance = await world.instance("live")
        await world.gateway.apply(table(1, acme_live=[revision(4, instance)]))
        assert (await world.get("/f/acme/live"))[0] == 200
        assert instance.seen[-1].headers["traceparent"].endswith("-00")
        assert (await world.get("/f/acme/live", headers={"traceparent": CALLERS.format(flags="01")}))[0] == 200


async def test_without_tracing_a_callers_traceparent_passes_as_it_is() -> None:
    async with stack() as world:
        instance = await world.instance("live")
        await world.gateway.apply(table(1, acme_live=[revision(4, instance)]))
        await world.get("/f/acme/live", headers={"traceparent": CALLERS.format(flags="01")})
        assert instance.seen[-1].headers["traceparent"] == CALLERS.format(flags="01")
        await world.get("/f/acme/live")
        assert "traceparent" not in instance.seen[-1].headers
