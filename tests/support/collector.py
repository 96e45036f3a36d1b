"""A collector of traces: takes OTLP over HTTP, as protobuf and as JSON, keeps every span."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Span:
    """Ids are hex; times are seconds since the epoch. ``links``: (trace id, span id)."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    begin: float
    end: float
    failed: bool
    tags: dict[str, Any]
    links: tuple[tuple[str, str], ...]


@dataclass
class Collector:
    """``headers``: of each request that came."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def of(self, service: str) -> list[Span]:
        return [span for span in self.spans if span.service == service]

    async def take(self, request: web.Request) -> web.Response:
        data = await request.read()
        if request.content_type == "application/json":
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            for resource in json.loads(data)["resourceSpans"]:
                service = _values_of_json(resource["resource"]["attributes"])["service.name"]
                scopes = resource["scopeSpans"]
                self.spans += [_span_of_json(service, span) for scope in scopes for span in scope["spans"]]
            return web.json_response({})
        assert request.content_type == "application/x-protobuf", request.content_type
        if request.headers.get("Content-Encoding") == "gzip" and data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            service = str(_values(resource.resource.attributes)["service.name"])
            scopes = resource.instrumentation_library_spans  # the name in xds-protos of what are scope_spans now
            self.spans += [_span(service, span) for scope in scopes for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


def _span_of_json(service: str, span: dict[str, Any]) -> Span:
    return Span(
        service,
        span["name"],
        span["traceId"],
        span["spanId"],
        span.get("parentSpanId", ""),
        span["kind"],
        int(span["startTimeUnixNano"]) / 1e9,
        int(span["endTimeUnixNano"]) / 1e9,
        span["status"]["code"] == 2,
        _values_of_json(span["attributes"]),
        tuple((link["traceId"], link["spanId"]) for link in span["links"]),
    )


def _values_of_json(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    found = {one["key"]: next(iter(one["value"].items())) for one in attributes}
    return {key: int(value) if kind == "intValue" else value for key, (kind, value) in found.items()}


def _span(service: str, span: Any) -> Span:
    return Span(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        span.status.code == 2,
        _values(span.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """On a free port of loopback."""
    made = Collector()
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    made.url = f"http://127.0.0.1:{port}/v1/traces"
    try:
        yield made
    finally:
        await runner.cleanup()


@contextmanager
def collector_thread() -> Iterator[Collector]:
    """The same for tests without a loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = collector()
    made = asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(10)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
