"""``ffx revisions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, rows, show

if TYPE_CHECKING:
    from faasioflex.client import Client, Source

COLUMNS = ("revision", "state", "traffic", "created", "by", "source", "message")


@on_platform
def revisions(client: Client, name: NameArgument, output: OutputOption = Output.table) -> None:
    """List the revisions of a function.

    \b
    Example:
      ffx revisions hello
    """
    found = client.revisions(name)
    lines = [
        (
            one.revision,
            one.state,
            f"{one.traffic_percent}%",
            one.created_at,
            one.created_by,
            _source(one.source),
            (one.message or "").partition("\n")[0],
        )
        for one in found
    ]
    show(output, [one.raw for one in found], lambda: rows(COLUMNS, lines, empty="No revisions."))


def _source(source: Source | None) -> str | None:
    if source is None:
        return None
    return source.image or f"sha256:{(source.sha256 or '')[:12]}"
