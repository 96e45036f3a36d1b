"""``ffx new``."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from faasioflex.cli.manifest import guess_name
from faasioflex.model.errors import BadRequest, NotSupportedYet
from faasioflex.model.names import is_name

SUFFIX = ".tmpl"  # keeps the templates' own tests and code from being taken for ours
PLACE_OF_NAME = "__NAME__"


class Runtime(StrEnum):
    python = "python"
    node = "node"
    go = "go"
    exec = "exec"


SUPPORTED = (Runtime.python, Runtime.exec)


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.", show_default=False)],
    runtime: Annotated[Runtime, typer.Option(help="What it is written in.")] = Runtime.python,
    name: Annotated[str | None, typer.Option(help="The function's name; default: the folder's.")] = None,
) -> None:
    """Make a folder with a working function.

    \b
    Examples:
      ffx new hello --runtime python
      ffx new tools/greet --runtime exec --name greet
    """
    if runtime not in SUPPORTED:
        raise NotSupportedYet(f"the runtime {runtime} is not supported yet: use {' or '.join(SUPPORTED)}")
    if name is not None and not is_name(name):
        raise typer.BadParameter(
            f"{name!r} is not a name: use a-z, 0-9 and '-', starting with a letter", param_hint="--name"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadRequest(f"{folder} is there already and not an empty folder: name another one")
    made = write_template(folder, runtime, name or guess_name(folder))
    print(f"Made {folder} with {', '.join(made)}")
    print(f"Next:  ffx deploy {folder}")


def write_template(folder: Path, runtime: str, name: str) -> list[str]:
    """Write the function ``name`` into ``folder``; the names of its files. What starts with ``#!`` becomes executable."""
    template = files("faasioflex.cli") / "templates" / runtime
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for source in sorted(template.iterdir(), key=lambda entry: entry.name):
        target = folder / source.name.removesuffix(SUFFIX)
        text = source.read_text(encoding="utf-8").replace(PLACE_OF_NAME, name)
        target.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            target.chmod(target.stat().st_mode | 0o111)
        made.append(target.name)
    return made
