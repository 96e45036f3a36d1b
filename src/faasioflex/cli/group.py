"""``ffx group``: groups of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, rows, show
from faasioflex.cli.subverbs import group_of_verbs

if TYPE_CHECKING:
    from faasioflex.client import Client

app = group_of_verbs(
    "Put people into groups, which own namespaces and are granted functions.\n\n"
    "\b\nExamples:\n  ffx group set team --member ada@example.org --member grace@example.org\n  ffx group list\n"
)
NameOf = Annotated[str, typer.Argument(metavar="NAME", help="The group.", show_default=False)]


@app.command("list")
@on_platform
def list_groups(client: Client, output: OutputOption = Output.table) -> None:
    """List groups.

    \b
    Example:
      ffx group list
    """
    found = client.groups()
    lines = [(one.name, ", ".join(one.members), ", ".join(one.claims), one.description) for one in found]
    columns = ("name", "members", "of the login's groups", "description")
    show(output, [one.raw for one in found], lambda: rows(columns, lines, empty="No groups."))


@app.command("set")
@on_platform
def set_group(
    client: Client,
    *,
    name: NameOf,
    member: Annotated[list[str] | None, typer.Option(metavar="EMAIL", help="E-mail or id; repeatable.")] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help="Whoever is in this group of the login (LDAP, GitHub team); repeatable."),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Make a group, or say anew who is in it.

    \b
    Examples:
      ffx group set team --member ada@example.org --member grace@example.org
      ffx group set team --claim engineering
    """
    made = client.put_group(name, members=member or [], claims=claim or [], description=description)
    show(output, made.raw, lambda: print(f"{made.name}: {', '.join((*made.members, *made.claims)) or 'nobody'}"))


@app.command()
@on_platform
def delete(client: Client, name: NameOf) -> None:
    """Delete a group, with what was granted to it.

    \b
    Example:
      ffx group delete team
    """
    client.delete_group(name)
    print(f"Deleted group {name}")
