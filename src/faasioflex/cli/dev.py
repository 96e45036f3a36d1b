"""``ffx dev``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faasioflex.cli.completing.words import samples


def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The function's folder.")] = Path(),
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Port on 127.0.0.1; 0 takes any free one. [the first free one from 8000]",
        ),
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Environment, lines of NAME=value. [DIR/.env]")
    ] = None,
    send: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Send one sample request of DIR/requests, print the answer, and end.",
            autocompletion=samples,
        ),
    ] = None,
) -> None:
    """Run one function on this machine, reloading it when a file changes; no platform is needed.

    It is started as the platform would start it, with the same runtime and packages and with function.yaml's env and
    limits, but as a plain process of yours: no sandbox. Files of DIR/requests are sample requests: NAME.json and NAME.txt
    are bodies, NAME.http is 'METHOD /path', header fields, an empty line and a body.

    \b
    Examples:
      ffx dev hello
      ffx dev hello --port 9000 --env-file staging.env
      ffx dev hello --send ada
    """
    import asyncio

    from faasioflex.cli.developing.quiet import without_log
    from faasioflex.cli.developing.run import develop, send_once

    without_log()
    folder, env_file = folder.resolve(), env_file.resolve() if env_file else None
    if send is not None:
        raise typer.Exit(0 if asyncio.run(send_once(folder, send, env_file)) else 1)
    asyncio.run(develop(folder, port, env_file))
