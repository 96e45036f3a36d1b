"""``ffx logs`` and ``ffx build-log``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, printable, show_line
from faasioflex.cli.units import duration_s

if TYPE_CHECKING:
    from faasioflex.client import Client, LogLine

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")]
OfRevision = Annotated[int | None, typer.Option(help="Only of this revision.")]
Tail = Annotated[int | None, typer.Option(min=0, max=20_000, help="At most so many lines of the past.")]
Since = Annotated[str | None, typer.Option(help="Only the last, like 10m; or from a time on, like 2030-01-31T12:00Z.")]


@on_platform
def logs(
    client: Client,
    *,
    name: NameArgument,
    follow: Follow = False,
    since: Since = None,
    revision: OfRevision = None,
    tail: Tail = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what a function wrote.

    \b
    Examples:
      ffx logs hello -f
      ffx logs hello --since 10m --revision 3
    """
    for line in client.logs(name, follow=follow, since=since_time(since), revision=revision, tail=tail):
        show_line(output, line.raw, log_text(line))


@on_platform
def build_log(
    client: Client,
    *,
    name: NameArgument,
    follow: Follow = False,
    revision: OfRevision = None,
    tail: Tail = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what the last build wrote.

    \b
    Example:
      ffx build-log hello
    """
    for line in client.build_log(name, follow=follow, revision=revision, tail=tail):
        show_line(output, line.raw, build_text(line))


def since_time(text: str | None) -> str | None:
    """What ``--since`` says, as the API takes it."""
    return moment(text, datetime.now(UTC)).isoformat() if text else None


def moment(text: str, now: datetime) -> datetime:
    """The time that ``--since`` means: a duration before ``now``, or a point in time (UTC where it does not say).

    Raises: typer.BadParameter.
    """
    try:
        point = datetime.fromisoformat(text)
    except ValueError:
        return now - timedelta(seconds=duration_s(text))
    return point if point.tzinfo else point.replace(tzinfo=UTC)


def log_text(line: LogLine) -> str:
    """``2030-01-31 12:00:00.123 r3 i-0123456789abcdef stderr | message``."""
    time = line.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if line.time else "-"
    who = f"r{line.revision} {line.instance or '-'}"
    return f"{time} {who} {line.stream} | {printable(line.message)}"


def build_text(line: LogLine) -> str:
    return printable(line.message)
