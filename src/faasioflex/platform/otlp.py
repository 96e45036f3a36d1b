"""Spans of OpenTelemetry's SDK to a collector: OTLP over HTTP, as JSON.

The SDK's own exporter needs the package opentelemetry-proto, which puts other files where xds-protos has its own of the same
names: whichever is installed last breaks the other. The form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import structlog
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext
from opentelemetry.util.types import Attributes

log = structlog.get_logger(__name__)
AGAIN = frozenset({429, 502, 503, 504})  # those that the protocol says to try again
PAUSES_S = (0.5, 1.0, 2.0)
_KINDS_FROM = 1  # the protocol's 0 is «not said», which the SDK does not know


class JsonSpanExporter(SpanExporter):
    """For the thread of a BatchSpanProcessor. What a collector does not take after a few tries is dropped, and logged once."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._endpoint = endpoint
        self._client = httpx.Client(headers=dict(headers), timeout=timeout_s, follow_redirects=False)
        self._closed = threading.Event()
        self._lost = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        content = document(spans)
        why = ""
        for pause_s in (*PAUSES_S, None):
            try:
                answer = self._client.post(self._endpoint, json=content)
            except httpx.HTTPError as error:
                why = type(error).__name__
            else:
                if answer.is_success:
                    self._lost = False
                    return SpanExportResult.SUCCESS
                why = f"status {answer.status_code}"
                if answer.status_code not in AGAIN:
                    break
            if pause_s is None or self._closed.wait(pause_s):
                break
        if not self._lost:
            log.warning("the collector of traces takes no spans", reason=why)
        self._lost = True
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._closed.set()
        self._client.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return True


def document(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """An ExportTraceServiceRequest. All of a process's spans are of one resource and one scope."""
    if not spans:
        return {"resourceSpans": []}
    first = spans[0]
    scope = first.instrumentation_scope
    known = [(span, context) for span in spans if (context := span.get_span_context()) is not None]
    scoped: dict[str, Any] = {"spans": [_span(span, context) for span, context in known]}
    if scope is not None:
        scoped["scope"] = {"name": scope.name, "version": scope.version or ""}
    return {
        "resourceSpans": [{"resource": {"attributes": _attributes(first.resource.attributes)}, "scopeSpans": [scoped]}]
    }


def _span(span: ReadableSpan, context: SpanContext) -> dict[str, Any]:
    made: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "traceState": context.trace_state.to_header(),
        "flags": int(context.trace_flags),
        "name": span.name,
        "kind": span.kind.value + _KINDS_FROM,
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": _attributes(span.attributes),
        "events": [_event(event) for event in span.events],
        "links": [_link(link) for link in span.links],
        "status": {"code": span.status.status_code.value, "message": span.status.description or ""},
    }
    if span.parent is not None:
        made["parentSpanId"] = f"{span.parent.span_id:016x}"
    return made


def _event(event: Event) -> dict[str, Any]:
    return {"name": event.name, "timeUnixNano": str(event.timestamp), "attributes": _attributes(event.attributes)}


def _link(link: Link) -> dict[str, Any]:
    context = link.context
    return {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "attributes": _attributes(link.attributes),
    }


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in (attributes or {}).items()]


def _value(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case _:
            return {"stringValue": str(value)}
