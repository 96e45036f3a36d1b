"""``ffx grant``: who else may do what with one function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, rows, show

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def grant(
    client: Client,
    *,
    name: NameArgument,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="WHO", help="user:EMAIL, group:NAME, service:ID or function:NS/NAME."),
    ] = None,
    verb: Annotated[list[str] | None, typer.Option(help="invoke, read, deploy or admin; repeatable. [invoke]")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it all back.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Let others call or change one function, or list who may.

    What is granted replaces what the same one was granted before. It takes effect at once, at the gateway too.

    \b
    Examples:
      ffx grant hello
      ffx grant hello --to user:grace@example.org
      ffx grant hello --to group:team --verb invoke --verb deploy
      ffx grant hello --to user:grace@example.org --remove
    """
    if to is None and (verb or remove):
        raise typer.BadParameter("say to whom: --to user:EMAIL, group:NAME, service:ID or function:NS/NAME")
    if to is not None and remove:
        if verb:
            raise typer.BadParameter("--remove takes back everything: leave --verb out")
        client.remove_grant(name, to)
    elif to is not None:
        client.grant(name, to, verb or ["invoke"])
    found = client.grants(name)
    lines = [(one.to, ", ".join(one.verbs)) for one in found]
    empty = f"Nobody but the owners of {client.name(name).namespace}, and whom its visibility lets."
    show(output, [one.raw for one in found], lambda: rows(("to", "verbs"), lines, empty=empty))
