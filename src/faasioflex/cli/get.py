"""``ffx get``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, show
from faasioflex.cli.show_function import function_facts

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def get(client: Client, name: NameArgument, output: OutputOption = Output.table) -> None:
    """Show one function.

    \b
    Examples:
      ffx get hello
      ffx get acme/hello -o yaml
    """
    function = client.get(name)
    show(output, function.raw, lambda: function_facts(client, function))
