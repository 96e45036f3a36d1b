"""``ffx traffic``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.output import Output, OutputOption, show
from faasioflex.cli.show_function import split_text

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def traffic(
    client: Client,
    name: NameArgument,
    shares: Annotated[
        list[str] | None,
        typer.Argument(metavar="REVISION=PERCENT...", help="The new split; none shows the present one."),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Split a function's calls between revisions.

    \b
    Examples:
      ffx traffic hello
      ffx traffic hello 3=90 4=10
    """
    function = client.set_traffic(name, _split(shares)) if shares else client.get(name)
    split = function.status.traffic
    document = {str(number): percent for number, percent in split.items()}
    show(output, document, lambda: print(f"{function.function}: {split_text(split)}"))


def _split(shares: list[str]) -> dict[int, int]:
    split: dict[int, int] = {}
    for share in shares:
        number, _, percent = share.partition("=")
        try:
            revision, part = int(number), int(percent.removesuffix("%"))
        except ValueError:
            raise typer.BadParameter(f"{share!r} is not REVISION=PERCENT, like 3=90") from None
        if revision in split:
            raise typer.BadParameter(f"revision {revision} is named twice")
        split[revision] = part
    if sum(split.values()) != 100 or min(split.values()) < 0:
        raise typer.BadParameter(f"the shares must sum to 100, not to {sum(split.values())}")
    return split
