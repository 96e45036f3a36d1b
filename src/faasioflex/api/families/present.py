"""Gauges: what is now, of functions that are awake or have a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from faasioflex.api.exposition import Family, Sample
from faasioflex.api.families.labels import of_function
from faasioflex.api.present import Present
from faasioflex.model.names import FunctionName


def families(
    load: Mapping[FunctionName, tuple[int, int]],
    present: Present,
    known: Iterable[FunctionName],
    exists: Callable[[FunctionName], bool],
) -> Iterator[Family]:
    """``load``: calls in progress and waiting. ``known``: functions that have counters. What does not exist has no series,
    although its instances may still end.
    """
    under_way = [(of_function(function), counts) for function, counts in sorted(load.items()) if exists(function)]
    there = set(filter(exists, present.functions()))
    yield _gauge("ffx_calls_in_progress", "Calls in progress", [("", names, one[0]) for names, one in under_way])
    yield _gauge("ffx_calls_waiting", "Calls that wait for a place", [("", names, one[1]) for names, one in under_way])
    yield from _of_instances(present, sorted(there.union(known)))
    yield from _of_queues(present, sorted(there))


def _of_instances(present: Present, functions: list[FunctionName]) -> Iterator[Family]:
    states: list[Sample] = []
    memory: list[Sample] = []
    limits: list[Sample] = []
    cpus: list[Sample] = []
    for function in functions:
        using, labels = present.using(function), of_function(function)
        if using is None:
            continue
        memory.append(("", labels, using.memory_bytes))
        if not using.states.total():
            continue
        states += [("", {**labels, "state": state}, count) for state, count in sorted(using.states.items())]
        limits.append(("", labels, using.memory_limit_bytes))
        cpus.append(("", labels, using.cpu_limit))
    yield _gauge("ffx_instances", "Instances by state", states)
    yield _gauge("ffx_memory_bytes", "Memory of the function's instances together", memory)
    yield _gauge("ffx_memory_limit_bytes", "Memory that they may use together, as their limits are now", limits)
    yield _gauge("ffx_cpu_limit_cores", "Cores that they may use together, as their limits are now", cpus)


def _of_queues(present: Present, functions: list[FunctionName]) -> Iterator[Family]:
    waiting: list[Sample] = []
    running: list[Sample] = []
    oldest: list[Sample] = []
    for function in functions:
        queue, labels = present.queue(function), of_function(function)
        if queue.queued or queue.delayed or queue.running:
            waiting.append(("", {**labels, "state": "due"}, queue.queued))
            waiting.append(("", {**labels, "state": "delayed"}, queue.delayed))
            running.append(("", labels, queue.running))
            oldest.append(("", labels, queue.oldest_s))
    yield _gauge("ffx_queue_calls", "Asynchronous calls that wait, due or delayed, of the longest queues", waiting)
    yield _gauge("ffx_queue_running_calls", "Asynchronous calls that run, of the same queues", running)
    yield _gauge("ffx_queue_oldest_seconds", "How long the oldest that is due has waited, of the same queues", oldest)
    queues = present.queues()
    sums: list[Sample] = [("", {"state": "due"}, queues.queued), ("", {"state": "delayed"}, queues.delayed)]
    yield _gauge("ffx_queue_all_calls", "Asynchronous calls that wait, of all functions", sums)


def _gauge(name: str, text: str, samples: list[Sample]) -> Family:
    return Family(name, "gauge", text, samples)
