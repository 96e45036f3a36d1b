"""``ffx down``: stop the platform on this machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import Annotated

import typer

from faasioflex.model.errors import DeadlineExceeded, NotAllowed
from faasioflex.platform.lock import holder
from faasioflex.platform.settings import Settings

STOPPED_WITHIN_S = 20.0  # the platform itself takes at most 15
POLL_S = 0.05


def down(
    data: Annotated[
        str | None, typer.Option(help="Folder of the platform to stop.", metavar="DIR", show_default=False)
    ] = None,
) -> None:
    """Stop the platform on this machine.

    It finishes the calls that it has, within 15 seconds. Data and functions stay; 'ffx up' goes on with them.

    \b
    Example:
      ffx down --data ./platform
    """
    folder = Settings.load({"data": data}).folder
    if holder(folder) is None:
        print(f"No platform runs on {folder.root}.", file=sys.stderr)
        return
    began = time.monotonic()
    asked = False
    while (pid := holder(folder)) is not None:
        if pid > 0 and not asked:  # 0: it took the lock this moment and has not written its pid yet
            _ask(pid)
            asked = True
        if time.monotonic() - began > STOPPED_WITHIN_S:
            raise DeadlineExceeded(
                f"The platform on {folder.root} (pid {pid}) still runs after {STOPPED_WITHIN_S:g} s. "
                f"'kill -9 {pid}' ends it; the next 'ffx up' cleans up."
            )
        time.sleep(POLL_S)
    print(f"Stopped the platform on {folder.root} in {time.monotonic() - began:.1f} s.", file=sys.stderr)


def _ask(pid: int) -> None:
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    except PermissionError as error:
        raise NotAllowed(f"The platform with pid {pid} belongs to another user. Stop it as that user.") from error
