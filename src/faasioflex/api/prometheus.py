"""The platform's figures for Prometheus. There are series of functions that have or lately had calls or instances, not of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from faasioflex import __version__
from faasioflex.api.exposition import Family, Sample, histogram
from faasioflex.api.figures import Figures
from faasioflex.api.load import Load
from faasioflex.api.measures import Measures
from faasioflex.api.resource.answer import status_document
from faasioflex.manager.functions.registry import Registry
from faasioflex.model.durations import within
from faasioflex.model.names import FunctionName

BOUNDS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)
SINCE = "since this process started, or since the function was idle for an hour"


def families(registry: Registry, load: Load, measures: Measures) -> Iterator[Family]:
    yield Family("ffx_build_info", "gauge", "Version of the platform", [("", {"version": __version__}, 1)])
    yield from _of_registry(registry)
    under_way = [(_labels(function), counts) for function, counts in sorted(load.now().items())]
    running: list[Sample] = [("", labels, counts[0]) for labels, counts in under_way]
    waiting: list[Sample] = [("", labels, counts[1]) for labels, counts in under_way]
    yield Family("ffx_calls_in_progress", "gauge", "Calls in progress", running)
    yield Family("ffx_calls_waiting", "gauge", "Calls that wait for an instance", waiting)
    yield from _of_calls({function: figures for function, figures in measures.totals()}, measures)


def _of_registry(registry: Registry) -> Iterator[Family]:
    states: Counter[str] = Counter()
    ready: list[Sample] = []
    revisions = 0
    for _, entry in sorted(registry.functions.entries.items()):
        record = entry.value
        status = status_document(record, registry.status_seen(record))
        states[status["state"]] += 1
        revisions += len(record.revisions)
        if status["ready_instances"]:
            ready.append(("", _labels(record.function), status["ready_instances"]))
    by_state: list[Sample] = [("", {"state": state}, count) for state, count in sorted(states.items())]
    yield Family("ffx_functions", "gauge", "Functions by state", by_state)
    yield Family("ffx_revisions", "gauge", "Revisions that are kept", [("", {}, revisions)])
    yield Family("ffx_instances_ready", "gauge", "Ready instances", ready)


def _of_calls(totals: Mapping[FunctionName, Figures], measures: Measures) -> Iterator[Family]:
    named = [(_labels(function), figures) for function, figures in totals.items()]
    calls: list[Sample] = [("", labels, figures.answered) for labels, figures in named]
    yield Family("ffx_calls_total", "counter", f"Calls answered {SINCE}", calls)
    errors: list[Sample] = [("", labels, figures.errors) for labels, figures in named]
    yield Family("ffx_call_errors_total", "counter", f"Calls answered with 500 or above, or cut off, {SINCE}", errors)
    took = [sample for labels, figures in named for sample in _durations(labels, figures)]
    yield Family("ffx_call_duration_seconds", "histogram", "Duration of calls to the end of the answer", took)
    starts: list[Sample] = [("", labels, figures.cold_starts) for labels, figures in named]
    yield Family("ffx_cold_starts_total", "counter", f"Starts of instances that calls waited for {SINCE}", starts)
    cpu: list[Sample] = [("", labels, figures.cpu_s) for labels, figures in named]
    yield Family("ffx_cpu_seconds_total", "counter", f"CPU time of the function's instances {SINCE}", cpu)
    memory: list[Sample] = []
    for function in totals:
        held = measures.memory_bytes(function)
        if held is not None:
            memory.append(("", _labels(function), held))
    yield Family("ffx_memory_bytes", "gauge", "Memory of the function's instances together", memory)


def _durations(labels: dict[str, str], figures: Figures) -> list[Sample]:
    up_to = [(bound / 1000, within(figures.durations, bound)) for bound in BOUNDS_MS]
    return histogram(labels, up_to, sum(figures.durations.values()), figures.duration_sum_ms / 1000)


def _labels(function: FunctionName) -> dict[str, str]:
    return {"namespace": function.namespace, "function": function.name}
