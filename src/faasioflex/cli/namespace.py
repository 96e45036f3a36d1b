"""``ffx namespace``: whose functions are, and who has which role there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, facts, rows, show
from faasioflex.cli.subverbs import NamespaceArgument, To, group_of_verbs

if TYPE_CHECKING:
    from faasioflex.client import Binding, Client, Namespace

app = group_of_verbs(
    "Make namespaces that several people share.\n\n"
    "\b\nExamples:\n  ffx namespace create shop --owner group:team\n"
    "  ffx namespace bind shop --to user:grace@example.org --role invoker\n"
)


@app.command("list")
@on_platform
def list_namespaces(client: Client, output: OutputOption = Output.table) -> None:
    """List the namespaces that you may see.

    \b
    Example:
      ffx namespace list
    """
    found = client.namespaces()
    lines = [(one.name, ", ".join(one.owners), "yes" if one.personal else "no", one.description) for one in found]
    columns = ("name", "owners", "personal", "description")
    show(output, [one.raw for one in found], lambda: rows(columns, lines, empty="No namespaces."))


@app.command("show")
@on_platform
def show_namespace(client: Client, name: NamespaceArgument, output: OutputOption = Output.table) -> None:
    """Show a namespace, and who has which role in it.

    \b
    Example:
      ffx namespace show shop
    """
    found, bindings = client.namespace(name), client.bindings(name)
    document = {**found.raw, "bindings": [one.raw for one in bindings]}
    show(output, document, lambda: _facts(found, bindings))


@app.command()
@on_platform
def create(
    client: Client,
    name: NamespaceArgument,
    owner: Annotated[
        list[str] | None, typer.Option(metavar="WHO", help="user:EMAIL or group:NAME; repeatable. [you]")
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Make a namespace, or say anew whose it is.

    \b
    Example:
      ffx namespace create shop --owner group:team --description "The web shop"
    """
    owners = owner or [f"user:{client.whoami().user}"]
    made = client.put_namespace(name, owners=owners, description=description)
    show(output, made.raw, lambda: print(f"{made.name} belongs to {', '.join(made.owners)}"))


@app.command()
@on_platform
def delete(client: Client, name: NamespaceArgument) -> None:
    """Delete a namespace that has no functions any more.

    \b
    Example:
      ffx namespace delete shop
    """
    client.delete_namespace(name)
    print(f"Deleted namespace {name}")


@app.command()
@on_platform
def bind(
    client: Client,
    name: NamespaceArgument,
    to: To,
    role: Annotated[str, typer.Option(help="admin, operator, developer, invoker or auditor.")],
    output: OutputOption = Output.table,
) -> None:
    """Give somebody a role in a namespace.

    \b
    Example:
      ffx namespace bind shop --to user:grace@example.org --role developer
    """
    made = client.bind(name, to, role)
    show(output, made.raw, lambda: print(f"{made.to} is {made.role} in {name}"))


@app.command()
@on_platform
def unbind(client: Client, name: NamespaceArgument, to: To) -> None:
    """Take somebody's role in a namespace back.

    \b
    Example:
      ffx namespace unbind shop --to user:grace@example.org
    """
    client.unbind(name, to)
    print(f"{to} has no role in {name} any more")


def _facts(found: Namespace, bindings: list[Binding]) -> None:
    facts(
        [
            ("name", found.name),
            ("owners", ", ".join(found.owners)),
            ("personal", "yes" if found.personal else "no"),
            ("description", found.description),
            *((f"{one.role}", one.to) for one in bindings),
        ]
    )
