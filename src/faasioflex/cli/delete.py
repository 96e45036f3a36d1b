"""``ffx delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument
from faasioflex.cli.working import working

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def delete(client: Client, name: NameArgument) -> None:
    """Delete a function with all its revisions.

    Calls that run are finished first; the name is free again when the command returns.

    \b
    Example:
      ffx delete hello
    """
    function = client.name(name)
    with working(f"Deleting {function}"):
        client.delete(function)
    print(f"Deleted {function}")
