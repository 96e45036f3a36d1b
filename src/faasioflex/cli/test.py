"""``ffx test``."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from faasioflex.model.errors import BadRequest


def run_tests(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The function's folder.")] = Path(),
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Environment besides function.yaml's, lines of NAME=value.")
    ] = None,
) -> None:
    """Run a function's own tests, with the toolchain, the library and the packages that the platform gives it.

    Nothing has to be installed: what the language needs is fetched at the first use. The exit code is that of the tests.

    \b
    Examples:
      ffx test
      ffx test hello
    """
    from faasioflex.cli.developing.project import read_project
    from faasioflex.cli.developing.quiet import without_log
    from faasioflex.cli.developing.testing import prepared
    from faasioflex.cli.working import say, telling

    without_log()
    project = read_project(folder.resolve(), env_file.resolve() if env_file else None, env_of_folder=False)
    for line in project.skipped:
        say(line)
    with ExitStack() as stack:
        with telling(f"Preparing the tests of {project.spec.function}") as tell:
            run = stack.enter_context(prepared(project, tell))
        try:
            done = subprocess.run(run.argv, cwd=run.folder, env=os.environ | run.env, check=False)
        except OSError as error:
            raise BadRequest(f"{run.argv[0]} cannot be run: {error.strerror}") from error
    raise typer.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
