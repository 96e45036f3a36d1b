"""``ffx scale``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.name import NameArgument

if TYPE_CHECKING:
    from faasioflex.client import Client


@on_platform
def scale(
    client: Client,
    name: NameArgument,
    instances: Annotated[int, typer.Argument(min=0, help="How many; 0 stops them all until the next call.")],
) -> None:
    """Run this many instances of a function now.

    \b
    Examples:
      ffx scale hello 3
      ffx scale hello 0
    """
    function = client.scale(name, instances)
    print(f"{function.function} scales to {instances}: 'ffx get {name}' shows how far it is")
