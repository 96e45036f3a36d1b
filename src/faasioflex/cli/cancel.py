"""``ffx cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, show

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def cancel(
    client: Client,
    invocation_id: Annotated[str, typer.Argument(metavar="ID", help="As 'ffx invoke --async' says it.")],
    output: OutputOption = Output.table,
) -> None:
    """Take an asynchronous call back.

    One that waits is not run; one that runs is cut off, and what it has done stays done.

    \b
    Example:
      ffx cancel 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11
    """
    made = client.cancel(invocation_id)
    show(output, made.raw, lambda: print(f"The call {invocation_id} is {made.status}"))
