"""``ffx list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NamespaceOption
from faasioflex.cli.output import Output, OutputOption, show
from faasioflex.cli.show_function import function_rows
from faasioflex.cli.units import pairs

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def list_functions(
    client: Client,
    namespace: NamespaceOption = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this label; repeatable.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """List functions.

    \b
    Examples:
      ffx list
      ffx list --label team=web -o json
    """
    functions = list(client.list(namespace=namespace, labels=pairs(label or [], "--label")))
    show(output, [function.raw for function in functions], lambda: function_rows(client, functions))
