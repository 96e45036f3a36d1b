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
    gateway: Annotated[
        str | None, typer.Option(help="What the gateway part drives: envoy, apisix. [envoy]", metavar="NAME")
    ] = None,
    apisix_admin: Annotated[
        str | None, typer.Option(help="APISIX's Admin API, like http://127.0.0.1:9180.", metavar="URL")
    ] = None,
    apisix_key_file: Annotated[str | None, typer.Option(help="The file with its key.", metavar="FILE")] = None,
) -> None:
    """Run one part of the platform, or several, in the foreground.

    'ffx up' does this for all of them; by hand it serves for looking at one part closely. It takes the NATS server of the
    platform that runs on the data folder, and ends with SIGTERM or Ctrl-C.

    \b
    Examples:
      ffx serve invoker --data ./platform
      ffx serve gateway --gateway apisix --apisix-admin http://127.0.0.1:9180 --apisix-key-file ./admin.key
    """
    try:
        names = expand(parts)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = Settings.load(
        {"data": data, "gateway": gateway, "apisix_admin": apisix_admin, "apisix_key_file": apisix_key_file}
    )
    from faasioflex.platform import logging
    from faasioflex.platform.parts.run import run

    logging.configure("+".join(parts), settings.log_level)
    raise typer.Exit(run(names, settings))
