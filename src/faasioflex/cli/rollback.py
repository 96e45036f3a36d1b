"""``ffx rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.show_function import split_text
from faasioflex.cli.working import working

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def rollback(
    client: Client,
    name: NameArgument,
    revision: Annotated[int | None, typer.Argument(help="Default: the one before.", show_default=False)] = None,
) -> None:
    """Send all calls to an earlier revision.

    \b
    Examples:
      ffx rollback hello
      ffx rollback hello 2
    """
    with working(f"Rolling back {name}"):
        function = client.rollback(name, revision, wait_s=30)
    print(f"{function.function}: {split_text(function.status.traffic)}")
