"""``ffx top``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, on_terminal, rows, show
from faasioflex.cli.units import size_text
from faasioflex.model.errors import NotFound

if TYPE_CHECKING:
    from faasioflex.client import Client, Metrics

COLUMNS = (
    "name",
    "calls/s",
    "errors",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "in progress",
    "waiting",
    "instances",
    "cold starts",
    "cpu",
    "memory",
)
WINDOW_S = 10.0
REFRESH_S = 2.0
CLEAR = "\x1b[H\x1b[2J"


@on_platform
def top(
    client: Client,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Only of this namespace.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, as without a terminal.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Watch the load of functions.

    Figures are of the last ten seconds, the most called function first.

    \b
    Examples:
      ffx top
      ffx top --once -o json
    """
    live = not once and output is Output.table and on_terminal()
    while True:
        found = _measured(client, namespace)
        if live:
            print(CLEAR, end="")
        documents = [{"name": name, **metrics.raw} for name, metrics in found]
        lines = [_line(name, metrics) for name, metrics in found]
        show(output, documents, lambda lines=lines: rows(COLUMNS, lines, empty="No functions."))  # type: ignore[misc]
        if not live:
            return
        time.sleep(REFRESH_S)


def _measured(client: Client, namespace: str | None) -> list[tuple[str, Metrics]]:
    found = []
    for function in client.list(namespace=namespace):
        try:
            found.append((str(function.function), client.metrics(function.function, window_s=WINDOW_S)))
        except NotFound:
            continue  # deleted meanwhile
    return sorted(found, key=lambda one: (-(one[1].calls_per_s or 0.0), one[0]))


def _line(name: str, metrics: Metrics) -> tuple[Any, ...]:
    latency = metrics.latency_ms
    return (
        name,
        _number(metrics.calls_per_s),
        "-" if metrics.error_rate is None else f"{metrics.error_rate:.1%}",
        _number(latency.p50 if latency else None),
        _number(latency.p95 if latency else None),
        _number(latency.p99 if latency else None),
        _number(metrics.in_progress),
        _number(metrics.waiting),
        metrics.instances,
        _number(metrics.cold_starts),
        _number(metrics.cpu),
        "-" if metrics.memory_bytes is None else size_text(metrics.memory_bytes),
    )


def _number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
