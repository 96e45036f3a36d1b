"""The command ``ffx``: the group of verbs, and what every one of them does with errors, signals and a closed pipe.

Verbs raise :class:`faasioflex.model.errors.FfxError` for what failed (exit 1), ``typer.BadParameter`` for wrong usage (exit 2),
and may leave with ``typer.Exit(code)``.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from faasioflex.cli.lazy import VerbGroup
from faasioflex.model.errors import FfxError

app = typer.Typer(
    cls=VerbGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"ffx {version('faasioflex')}")
        raise typer.Exit


@app.callback()
def ffx(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version of this command.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """FaaSioFlex: functions as a service on your own machines.

    \b
    Start here:
      ffx up --detach
      ffx new hello --runtime python
      ffx deploy hello
      ffx invoke hello -d '{"name": "Ada"}'
    """


def main() -> NoReturn:
    """Entry point: 0 done, 1 the request failed, 2 wrong usage, 130 interrupted. Never a traceback."""
    try:
        app()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = 130
    except FfxError as error:
        from faasioflex.cli.failure import report

        report(error)
        code = 1
    except BrokenPipeError:
        code = 1
    except Exception as error:
        if os.environ.get("FFX_DEBUG"):
            raise
        from faasioflex.cli.failure import report_unexpected

        report_unexpected(error)
        code = 1
    leave(code)


def leave(code: int) -> NoReturn:
    """Flush what was written and end with ``code``; a reader that went away is no reason for a message."""
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        code = code or 1
    sys.exit(code)


if __name__ == "__main__":
    main()
