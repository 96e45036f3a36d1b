"""``ffx top``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.load import COLUMNS, Order, alert_text, full_name, line, ordered
from faasioflex.cli.name import NamespaceOption
from faasioflex.cli.output import Output, OutputOption, on_terminal, printable, rows, show

if TYPE_CHECKING:
    from faasioflex.client import Client, FunctionMetrics

WINDOW_S = 10.0


@on_platform
def top(
    client: Client,
    *,
    namespace: NamespaceOption = None,
    sort: Annotated[Order, typer.Option(help="By what; on a terminal a key changes it.")] = Order.calls,
    every: Annotated[float, typer.Option(min=0.5, metavar="SECONDS", help="How often it is read again.")] = 2.0,
    idle: Annotated[bool, typer.Option("--all", help="Show those, too, that nothing happens to.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, as without a terminal.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Watch the load of functions.

    Of those that have instances, calls or a queue; and the alerts that fire. Figures are of the last ten seconds. Instances:
    2+1s are two ready and one that starts; f is frozen, d draining. On a terminal the table stays; c n i p e u m g w d s
    order it by calls, name, instances, p95, errors, cpu, memory, calls in progress, waiting, queued, cold starts, and q
    ends it.

    \b
    Examples:
      ffx top
      ffx top --sort memory
      ffx top --once -o json
    """
    if not once and output is Output.table and on_terminal():
        from faasioflex.cli.live import watch

        watch(lambda: (look(client, namespace, idle=idle), client.alerts(namespace=namespace)), sort, every)
        return
    found = ordered(look(client, namespace, idle=idle), sort)
    documents = [{**one.raw, "name": full_name(one)} for one in found]
    empty = "No functions." if idle else "Nothing happens to any function; --all shows them."
    show(output, documents, lambda: rows(COLUMNS, [line(one) for one in found], empty=empty))
    if output is Output.table:
        for alert in client.alerts(namespace=namespace):
            print(printable(alert_text(alert)), file=sys.stderr)


def look(client: Client, namespace: str | None, *, idle: bool) -> list[FunctionMetrics]:
    return list(client.metrics_of_all(namespace=namespace, window_s=WINDOW_S, active=not idle))
