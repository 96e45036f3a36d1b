"""``ffx result``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.invoke import report_invocation
from faasioflex.cli.output import Output, OutputOption
from faasioflex.cli.working import working

if TYPE_CHECKING:
    from faasioflex.client import Client

WAIT_STEP_S = 20.0


@on_platform
def result(
    client: Client,
    invocation_id: Annotated[str, typer.Argument(metavar="ID", help="As 'ffx invoke -o json' says it.")],
    wait: Annotated[bool, typer.Option("--wait", help="Until the call has ended.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Show what became of a call.

    \b
    Examples:
      ffx result 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11
      ffx result 0b8e4c9e-6a0e-4f2e-9f53-0f6f8f2f6a11 --wait -o json
    """
    with working("Waiting for the call"):
        invocation = client.invocation(invocation_id)
        while wait and not invocation.ended:
            invocation = client.invocation(invocation_id, wait_s=WAIT_STEP_S)
    report_invocation(invocation, output)
