"""``ffx top``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.load import COLUMNS, Order, full_name, line, ordered
from faasioflex.cli.name import NamespaceOption
from faasioflex.cli.output import Output, OutputOption, on_terminal, rows, show

if TYPE_CHECKING:
    from faasioflex.client import Client

WINDOW_S = 10.0


@on_platform
def top(
    client: Client,
    *,
    namespace: NamespaceOption = None,
    sort: Annotated[Order, typer.Option(help="By what; on a terminal a key changes it.")] = Order.calls,
    every: Annotated[float, typer.Option(min=0.5, metavar="SECONDS", help="How often it is read again.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, as without a terminal.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Watch the load of functions.

    Figures are of the last ten seconds. On a terminal the table stays; c n i p e u m g order it by calls, name, instances,
    p95, errors, cpu, memory, calls in progress, and q ends it.

    \b
    Examples:
      ffx top
      ffx top --sort memory
      ffx top --once -o json
    """
    if not once and output is Output.table and on_terminal():
        from faasioflex.cli.live import watch

        watch(lambda: list(client.metrics_of_all(namespace=namespace, window_s=WINDOW_S)), sort, every)
        return
    found = ordered(client.metrics_of_all(namespace=namespace, window_s=WINDOW_S), sort)
    documents = [{**one.raw, "name": full_name(one)} for one in found]
    show(output, documents, lambda: rows(COLUMNS, [line(one) for one in found], empty="No functions."))
