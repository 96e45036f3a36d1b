"""``ffx quota``: how much a namespace may take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, rows, show
from faasioflex.cli.subverbs import NamespaceArgument, group_of_verbs
from faasioflex.cli.units import size_bytes, size_text

if TYPE_CHECKING:
    from faasioflex.client import Client, Quota

app = group_of_verbs(
    "Show and set bounds of namespaces.\n\n"
    "\b\nExamples:\n  ffx quota show\n  ffx quota set shop --functions 20 --memory 2G --calls-per-minute 6000\n"
)
NONE = "none"
SIZES = ("memory_bytes", "storage_bytes")


@app.command("show")
@on_platform
def show_quota(
    client: Client,
    namespace: Annotated[str | None, typer.Argument(help="Default: your own.", metavar="NAMESPACE")] = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what a namespace may take, and what it takes.

    \b
    Example:
      ffx quota show shop
    """
    found = client.quota(namespace)
    show(output, found.raw, lambda: _rows(found))


@app.command("set")
@on_platform
def set_quota(
    client: Client,
    *,
    namespace: NamespaceArgument,
    functions: Annotated[str | None, typer.Option(metavar="N", help="Functions.")] = None,
    instances: Annotated[str | None, typer.Option(metavar="N", help="Instances at a time.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of all instances together.")] = None,
    calls_per_minute: Annotated[str | None, typer.Option(metavar="N", help="Calls in a minute.")] = None,
    storage: Annotated[str | None, typer.Option(metavar="SIZE", help="Code of all revisions that are kept.")] = None,
    output: OutputOption = Output.table,
) -> None:
    """Set bounds; 'none' takes one away, and those that are not named stay.

    \b
    Examples:
      ffx quota set shop --functions 20 --memory 2G
      ffx quota set shop --memory none
    """
    wanted = {
        "functions": functions,
        "instances": instances,
        "memory_bytes": memory,
        "calls_per_minute": calls_per_minute,
        "storage_bytes": storage,
    }
    changes: dict[str, Any] = {name: _bound(name, text) for name, text in wanted.items() if text is not None}
    if not changes:
        raise typer.BadParameter("name at least one bound, like --functions 20")
    found = client.set_quota(dataclasses.replace(client.quota(namespace), **changes), namespace=namespace)
    show(output, found.raw, lambda: _rows(found))


def _bound(name: str, text: str) -> int | None:
    if text.lower() == NONE:
        return None
    if name in SIZES:
        return size_bytes(text)
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number: write 20, or none for no bound") from None


def _rows(found: Quota) -> None:
    def text(name: str, value: float | None) -> str:
        if value is None:
            return "-"
        return size_text(value) if name in SIZES else f"{value:g}"

    names = ("functions", "instances", *SIZES, "calls_per_minute")
    lines = [
        (
            name.removesuffix("_bytes").replace("_", " "),
            text(name, getattr(found.used, name, None)),
            _most(text(name, getattr(found, name))),
        )
        for name in names
    ]
    rows(("what", "used", "at most"), lines, empty="")


def _most(text: str) -> str:
    return "no bound" if text == "-" else text
