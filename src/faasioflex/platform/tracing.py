"""Traces of the invoker, by OpenTelemetry's SDK. Imported only where the platform is told of a collector: it takes 200 ms."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from faasioflex import __version__
from faasioflex.gateway.envoy.settings import Tracing
from faasioflex.invoker.call import Call
from faasioflex.invoker.traces import UNTRACED, CallTrace
from faasioflex.model.errors import FfxError
from faasioflex.model.route import Endpoint
from faasioflex.platform.otlp import JsonSpanExporter

SERVICE = "faasioflex-invoker"
EVERY_S = 1.0
EXPORT_S = 5
CLOSE_S = 1.0
SHORTEST_WAIT_NS = 1_000_000
_FIELDS = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_DECLINED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][02468ace]")
_propagator = TraceContextTextMapPropagator()


class _Follow(Sampler):
    """As the call's parent was decided, else the call that was accepted and is run now, else by the ratio."""

    def __init__(self, ratio: float) -> None:
        self._by_ratio = TraceIdRatioBased(ratio)

    def should_sample(  # noqa: PLR0917 - the SDK's signature
        self,
        parent_context: contexts.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        before = trace.get_current_span(parent_context).get_span_context()
        if not before.is_valid and links:
            before = links[0].context
        if before.is_valid:
            decision = Decision.RECORD_AND_SAMPLE if before.trace_flags.sampled else Decision.DROP
            return SamplingResult(decision, attributes)
        return self._by_ratio.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"follow, else {self._by_ratio.get_description()}"


class OtlpTraces:
    """One per process. Spans go out every ``every_s``; those that find no room while the collector is away are dropped."""

    def __init__(self, tracing: Tracing, every_s: float = EVERY_S) -> None:
        resource = Resource.create({"service.name": SERVICE, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, sampler=_Follow(tracing.ratio), shutdown_on_exit=False)
        exporter = JsonSpanExporter(tracing.endpoint, dict(tracing.headers), EXPORT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=every_s * 1000, export_timeout_millis=EXPORT_S * 1000)
        )
        self._tracer = self._provider.get_tracer("faasioflex", __version__)

    def begin(self, call: Call) -> CallTrace:
        given = {
            field: value.decode("latin-1")
            for name, value in call.headers
            if (field := _FIELDS.get(name.lower())) is not None
        }
        if _DECLINED.fullmatch(call.linked_to or given.get("traceparent", "")):
            return UNTRACED  # most calls, by far: nothing of the SDK is asked
        links: list[Link] = []
        parent = contexts.Context()
        if call.linked_to is not None:
            accepted = _context_of({"traceparent": call.linked_to})
            links = [Link(accepted)] if accepted.is_valid else []
        else:
            parent = _propagator.extract(given, parent)
        span = self._tracer.start_span(
            f"call {call.target.function}",
            parent,
            SpanKind.CONSUMER if links else SpanKind.SERVER,
            attributes={"ffx.request_id": call.request_id, "http.request.method": call.method},
            links=links,
        )
        return _Traced(self, call, span) if span.is_recording() else UNTRACED

    def part(self, parent: Span, name: str, kind: SpanKind, begin_ns: int | None = None) -> Span:
        return self._tracer.start_span(name, trace.set_span_in_context(parent), kind, start_time=begin_ns)

    async def close(self) -> None:
        """The SDK's way blocks for as long as the collector lets it: in a thread that nobody waits for at the end."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # too late: the loop is closed
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut, name="traces end", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await done.wait()


class _Traced:
    def __init__(self, traces: OtlpTraces, call: Call, span: Span) -> None:
        self._traces = traces
        self._call = call
        self._span = span
        self._attempt: Span | None = None
        self._waits: tuple[int, bool] | None = None  # since when (ns), for a start
        self._ended = False

    def waits(self, *, for_start: bool) -> None:
        self._end_attempt(answered=False)
        self._waits = time.time_ns(), for_start

    def sends(self, endpoint: Endpoint) -> None:
        self._end_wait()
        call = self._call
        attempt = self._attempt = self._traces.part(self._span, str(call.target.function), SpanKind.CLIENT)
        attempt.set_attributes({"faas.instance": endpoint.instance, "faas.version": str(call.revision)})
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(attempt))
        kept = [field for field in call.headers if field[0].lower() != b"traceparent"]
        call.headers = [*kept, (b"traceparent", carrier["traceparent"].encode())]

    def end(self, error: BaseException | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        self._end_wait()
        status = self._call.status
        self._end_attempt(answered=error is None)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if isinstance(error, FfxError):
            self._span.set_attribute("error.type", error.code)
            self._span.set_status(Status(StatusCode.ERROR if error.status >= 500 else StatusCode.UNSET))
        elif error is None:
            self._span.set_status(_status_of(status))
        self._span.end()

    def _end_wait(self) -> None:
        waits, self._waits = self._waits, None
        if waits is None:
            return
        since, for_start = waits
        now = time.time_ns()
        if now - since >= SHORTEST_WAIT_NS:
            name = "wait for start" if for_start else "wait for a place"
            self._traces.part(self._span, name, SpanKind.INTERNAL, since).end(now)
            if for_start:
                self._span.set_attribute("faas.coldstart", True)

    def _end_attempt(self, *, answered: bool) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        status = self._call.status
        if answered and status is not None:
            attempt.set_attribute("http.response.status_code", status)
            attempt.set_status(_status_of(status))
        else:
            attempt.set_status(Status(StatusCode.ERROR, "not answered: full, or it ended"))
        attempt.end()


def _context_of(carrier: dict[str, str]) -> SpanContext:
    return trace.get_current_span(_propagator.extract(carrier, contexts.Context())).get_span_context()


def _status_of(status: int | None) -> Status:
    return Status(StatusCode.ERROR if status is not None and status >= 500 else StatusCode.UNSET)
