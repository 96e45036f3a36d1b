"""The platform's figures in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from faasioflex import __version__
from faasioflex.api.load import LoadWindow
from faasioflex.api.resource.answer import status_document
from faasioflex.manager.functions.registry import Registry
from faasioflex.model.names import FunctionName

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def exposition(registry: Registry, load: LoadWindow) -> str:
    """All families. Label values are names and states, which need no escaping."""
    states: Counter[str] = Counter()
    ready: list[Sample] = []
    revisions = 0
    for entry in registry.functions.entries.values():
        record = entry.value
        status = status_document(record, registry.status_seen(record))
        states[status["state"]] += 1
        revisions += len(record.revisions)
        if status["ready_instances"]:
            ready.append((_labels(record.function), status["ready_instances"]))
    calls: list[Sample] = [(_labels(function), total) for function, total in load.begun().items()]
    now = load.now().items()
    running: list[Sample] = [(_labels(function), count) for function, (count, _) in now]
    waiting: list[Sample] = [(_labels(function), count) for function, (_, count) in now]
    by_state: list[Sample] = [({"state": state}, count) for state, count in sorted(states.items())]
    families: tuple[tuple[str, str, str, list[Sample]], ...] = (
        ("ffx_build_info", "gauge", "Version of the platform", [({"version": __version__}, 1)]),
        (
            "ffx_functions",
            "gauge",
            "Functions by state",
            by_state,
        ),
        ("ffx_revisions", "gauge", "Revisions that are kept", [({}, revisions)]),
        ("ffx_instances_ready", "gauge", "Ready instances", ready),
        ("ffx_calls_total", "counter", "Calls begun since this API process started", calls),
        ("ffx_calls_in_progress", "gauge", "Calls in progress", running),
        ("ffx_calls_waiting", "gauge", "Calls that wait for an instance", waiting),
    )
    return "".join(_family(*family) for family in families)


def _labels(function: FunctionName) -> dict[str, str]:
    return {"namespace": function.namespace, "function": function.name}


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        shown = ",".join(f'{label}="{content}"' for label, content in labels.items())
        lines.append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")
    return "\n".join(lines) + "\n"
