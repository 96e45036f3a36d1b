"""``ffx dead-letters``: calls that were given up."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.completing.words import functions
from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, facts, rows, show
from faasioflex.cli.subverbs import group_of_verbs
from faasioflex.cli.working import working
from faasioflex.model.errors import TooManyCalls

if TYPE_CHECKING:
    from faasioflex.client import Client, DeadLetter

app = group_of_verbs(
    "Show calls that were given up, run them again or throw them away.\n\n"
    "\b\nExamples:\n  ffx dead-letters list mail\n  ffx dead-letters redrive --all mail\n"
)
Id = Annotated[str, typer.Argument(metavar="ID", help="As 'ffx dead-letters list' says it.", show_default=False)]
OneId = Annotated[str | None, typer.Argument(metavar="[ID]", help="One call; or say --all.", show_default=False)]
All = Annotated[
    str | None,
    typer.Option("--all", metavar="NAME", help="All of this function instead.", autocompletion=functions),
]


@app.command("list")
@on_platform
def list_dead_letters(
    client: Client,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One function. [all]", show_default=False, autocompletion=functions),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    output: OutputOption = Output.table,
) -> None:
    """List calls that were given up, with their last error.

    \b
    Example:
      ffx dead-letters list mail
    """
    found = list(islice(client.dead_letters(name), limit))
    columns = ("id", "function", "attempts", "died", "error")
    lines = [
        (
            one.invocation_id,
            one.function or "",
            one.attempts,
            one.died_at.strftime("%Y-%m-%d %H:%M:%S") if one.died_at else "",
            one.last_error or "",
        )
        for one in found
    ]
    show(output, [one.raw for one in found], lambda: rows(columns, lines, empty="No dead letters."))


@app.command("show")
@on_platform
def show_dead_letter(client: Client, invocation_id: Id, output: OutputOption = Output.table) -> None:
    """Show one, with its error and what the function was given.

    \b
    Example:
      ffx dead-letters show 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11
    """
    found = client.dead_letter(invocation_id)
    show(output, found.raw, lambda: _facts(found))


@app.command()
@on_platform
def redrive(
    client: Client, *, invocation_id: OneId = None, every: All = None, output: OutputOption = Output.table
) -> None:
    """Run one again, or all of a function: each as a new call, whose id is printed for one.

    \b
    Examples:
      ffx dead-letters redrive 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11
      ffx dead-letters redrive --all mail
    """
    _check(invocation_id, every)
    if every is not None:
        with working("Queueing them again"):
            done = client.redrive_all(every)
        show(output, dataclasses.asdict(done), lambda: print(f"{done.redriven} calls are queued again"))
        if done.left:
            raise TooManyCalls(
                f"{done.left} dead letters found no room in the queue and are there still: repeat it later"
            )
    elif invocation_id is not None:
        made = client.redrive(invocation_id)
        show(output, made.raw, lambda: print(made.invocation_id))


@app.command()
@on_platform
def purge(
    client: Client, *, invocation_id: OneId = None, every: All = None, output: OutputOption = Output.table
) -> None:
    """Throw one away, or all of a function.

    \b
    Examples:
      ffx dead-letters purge 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11
      ffx dead-letters purge --all mail
    """
    _check(invocation_id, every)
    count = 1
    if every is not None:
        count = client.purge(every)
    elif invocation_id is not None:
        client.delete_dead_letter(invocation_id)
    show(output, {"purged": count}, lambda: print(f"{count} dead letters are gone"))


def _check(invocation_id: str | None, every: str | None) -> None:
    if (invocation_id is None) == (every is None):
        raise typer.BadParameter("name one ID, or --all and a function")


def _facts(found: DeadLetter) -> None:
    facts(
        [
            ("id", found.invocation_id),
            ("function", found.function or ""),
            ("attempts", str(found.attempts)),
            ("called", str(found.created_at or "")),
            ("died", str(found.died_at or "")),
            ("error", found.last_error or ""),
            ("request", f"{found.method} {found.path}"),
            ("payload", json.dumps(found.payload, ensure_ascii=False)),
        ]
    )
