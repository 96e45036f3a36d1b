"""``ffx events``."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.logs import Since, Tail, since_time
from faasioflex.cli.output import Output, OutputOption, printable, show_line

if TYPE_CHECKING:
    from faasioflex.client import Client, Event


@on_platform
def events(
    client: Client,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    since: Since = None,
    tail: Tail = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the changes of functions as they happen.

    \b
    Examples:
      ffx events
      ffx events -f -o json
    """
    for event in client.events(follow=follow, since=since_time(since), tail=tail):
        show_line(output, event.raw, event_text(event))


def event_text(event: Event) -> str:
    """``2030-01-31 12:00:00 function.deployed acme/hello revision=3``."""
    time = event.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if event.time else "-"
    data = event.data if isinstance(event.data, dict) else {}
    details = " ".join(f"{key}={_short(value)}" for key, value in data.items() if key != "uid" and _is_scalar(value))
    return printable(f"{time} {event.type.removeprefix('faasioflex.')} {event.subject or '-'} {details}".rstrip())


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _short(value: object) -> str:
    """Text in quotes, at most its first line; -o json has it whole."""
    if not isinstance(value, str):
        return str(value)
    line, _, rest = value.partition("\n")
    return json.dumps(line + (" ..." if rest else ""), ensure_ascii=False)
