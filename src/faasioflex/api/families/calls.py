"""Counters and histograms of functions that have or lately had calls or instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from faasioflex.api.exposition import Family, Sample, histogram
from faasioflex.api.families.labels import of_function
from faasioflex.api.figures import Figures
from faasioflex.api.window import CLASSES
from faasioflex.model.durations import Counts, within
from faasioflex.model.names import FunctionName

BOUNDS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)
SINCE = "since this process started, or since the function was idle for an hour"
Totals = Iterable[tuple[FunctionName, Figures]]
_COUNTERS: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    ("ffx_calls_total", f"Calls answered {SINCE}", lambda one: one.answered),
    (
        "ffx_call_errors_total",
        f"Calls answered with 500 or above, or cut off, {SINCE}",
        lambda one: one.errors,
    ),
    ("ffx_calls_refused_total", f"Calls sent away because no place was left {SINCE}", lambda one: one.refused),
    ("ffx_cold_starts_total", f"Starts of instances that calls waited for {SINCE}", lambda one: one.cold_starts),
    ("ffx_cpu_seconds_total", f"CPU time of the function's instances {SINCE}", lambda one: one.cpu_s),
    ("ffx_instance_crashes_total", f"Instances that ended unwanted {SINCE}", lambda one: one.crashes),
    ("ffx_queue_retries_total", f"Queued calls that were made again {SINCE}", lambda one: one.retries),
    ("ffx_queue_dead_letters_total", f"Queued calls that were given up {SINCE}", lambda one: one.dead_letters),
    ("ffx_cache_hits_total", f"Calls that the cache answered {SINCE}", lambda one: one.cache_hits),
    ("ffx_cache_misses_total", f"Calls that the cache had no answer to {SINCE}", lambda one: one.cache_misses),
)


def families(totals: Totals) -> Iterator[Family]:
    named = [(of_function(function), figures) for function, figures in totals]
    for name, text, value in _COUNTERS:
        yield Family(name, "counter", text, [("", labels, value(figures)) for labels, figures in named])
    by_class: list[Sample] = [
        ("", {**labels, "class": shown}, figures.classes[digit])
        for labels, figures in named
        for digit, shown in CLASSES.items()
        if digit in figures.classes
    ]
    yield Family("ffx_call_answers_total", "counter", f"Calls answered by class of status {SINCE}", by_class)
    took = [
        sample for labels, figures in named for sample in _durations(labels, figures.durations, figures.duration_sum_ms)
    ]
    yield Family("ffx_call_duration_seconds", "histogram", "Duration of calls to the end of the answer", took)
    starts = [
        sample
        for labels, figures in named
        if figures.start_durations
        for sample in _durations(labels, figures.start_durations, figures.start_sum_ms)
    ]
    yield Family("ffx_cold_start_duration_seconds", "histogram", "How long calls waited for a start", starts)


def _durations(labels: dict[str, str], counts: Counts, sum_ms: float) -> list[Sample]:
    up_to = [(bound / 1000, within(counts, bound)) for bound in BOUNDS_MS]
    return histogram(labels, up_to, sum(counts.values()), sum_ms / 1000)
