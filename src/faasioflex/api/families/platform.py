"""The platform itself: its functions, its scaling, its nodes, its processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faasioflex import __version__
from faasioflex.api.census import Census
from faasioflex.api.decisions import Decisions
from faasioflex.api.exposition import Family, Sample
from faasioflex.api.families.labels import of_function
from faasioflex.api.present import Present
from faasioflex.api.processes import Process

SINCE = "since this process started"


def families(
    census: Census, decisions: Decisions, present: Present, processes: Mapping[str, Process]
) -> Iterator[Family]:
    yield Family("ffx_build_info", "gauge", "Version of the platform", [("", {"version": __version__}, 1)])
    states: list[Sample] = [("", {"state": state}, count) for state, count in sorted(census.states.items())]
    yield Family("ffx_functions", "gauge", "Functions by state", states)
    yield Family("ffx_revisions", "gauge", "Revisions that are kept", [("", {}, census.revisions)])
    ready: list[Sample] = [("", of_function(function), count) for function, count in census.ready()]
    yield Family("ffx_instances_ready", "gauge", "Ready instances, also frozen ones", ready)
    decided: list[Sample] = [
        ("", {"signal": signal, "direction": direction}, count)
        for (signal, direction), count in sorted(decisions.totals.items())
    ]
    yield Family("ffx_scale_decisions_total", "counter", f"Decisions that changed a number {SINCE}", decided)
    yield from _of_nodes(present)
    yield from _of_processes(processes)


def _of_nodes(present: Present) -> Iterator[Family]:
    node = present.node()
    budget: list[Sample] = [("", {}, node.budget_bytes)] if node.budget_bytes is not None else []
    reserved: list[Sample] = [("", {}, node.reserved_bytes)] if budget else []
    yield Family("ffx_node_memory_budget_bytes", "gauge", "Memory of the machine that instances may have", budget)
    yield Family("ffx_node_memory_reserved_bytes", "gauge", "Memory of it that instances are given", reserved)
    pools = [({"language": language}, pool) for language, pool in present.pools().items()]
    size: list[Sample] = [("", labels, pool.size) for labels, pool in pools]
    yield Family("ffx_pool_sandboxes", "gauge", "Sandboxes that wait in the pool", size)
    hits: list[Sample] = [("", labels, pool.hits) for labels, pool in pools]
    yield Family("ffx_pool_hits_total", "counter", f"Starts that took one from the pool {SINCE}", hits)
    misses: list[Sample] = [("", labels, pool.misses) for labels, pool in pools]
    yield Family("ffx_pool_misses_total", "counter", f"Starts that found none in the pool {SINCE}", misses)


def _of_processes(processes: Mapping[str, Process]) -> Iterator[Family]:
    named = [({"process": name}, one) for name, one in processes.items()]
    resident: list[Sample] = [("", labels, one.resident_bytes) for labels, one in named]
    yield Family("ffx_process_resident_memory_bytes", "gauge", "Memory of a process of the platform", resident)
    cpu: list[Sample] = [("", labels, one.cpu_s) for labels, one in named]
    yield Family("ffx_process_cpu_seconds_total", "counter", "CPU time of a process of the platform", cpu)
    fds: list[Sample] = [("", labels, one.open_fds) for labels, one in named if one.open_fds is not None]
    yield Family("ffx_process_open_fds", "gauge", "Open file descriptors of a process of the platform", fds)
