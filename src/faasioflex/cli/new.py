"""``ffx new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faasioflex.cli.completing.words import runtimes
from faasioflex.cli.manifest import guess_name
from faasioflex.cli.templates import write_template
from faasioflex.model.errors import BadRequest
from faasioflex.model.names import is_name


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.", show_default=False)],
    runtime: Annotated[
        str, typer.Option(help="What it is written in: python, node, go, exec …", autocompletion=runtimes)
    ] = "python",
    name: Annotated[str | None, typer.Option(help="The function's name; default: the folder's.")] = None,
) -> None:
    """Make a folder with a working function, its test and sample requests.

    \b
    Examples:
      ffx new hello --runtime python
      ffx new tools/greet --runtime exec --name greet
    """
    if name is not None and not is_name(name):
        raise typer.BadParameter(
            f"{name!r} is not a name: use a-z, 0-9 and '-', starting with a letter, at most 40 in all",
            param_hint="--name",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadRequest(f"{folder} is there already and not an empty folder: name another one")
    try:
        made = write_template(runtime, folder, name or guess_name(folder))
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror} ({error.filename})") from error
    print(f"Made {folder} with {', '.join(made)}")
    print(f"Next:  ffx test {folder}")
    print(f"       ffx dev {folder}")
    print(f"       ffx deploy {folder}")
