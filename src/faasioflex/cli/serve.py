"""``ffx serve``: run parts in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from faasioflex.platform.parts.names import GROUPS, PARTS, expand
from faasioflex.platform.settings import Settings


def serve(
    parts: Annotated[list[str], typer.Argument(help=f"{', '.join(PARTS)}, or {', '.join(GROUPS)}.", metavar="PART…")],
    data: Annotated[
        str | None, typer.Option(help="Folder of the platform they belong to.", metavar="DIR", show_default=False)
    ] = None,
) -> None:
    """Run one part of the platform, or several, in the foreground.

    'ffx up' does this for all of them; by hand it serves for looking at one part closely. It takes the NATS server of the
    platform that runs on the data folder, and ends with SIGTERM or Ctrl-C.

    \b
    Example:
      ffx serve invoker --data ./platform
    """
    try:
        names = expand(parts)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = Settings.load({"data": data})
    from faasioflex.platform import logging
    from faasioflex.platform.parts.run import run

    logging.configure("+".join(parts), settings.log_level)
    raise typer.Exit(run(names, settings))
