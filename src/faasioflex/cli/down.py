"""``ffx down``: stop the platform on this machine."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Annotated

import psutil
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
    asked: psutil.Process | None = None
    while (pid := holder(folder)) is not None or _lives(asked):  # it lets go of the folder shortly before its end
        if pid and asked is None:  # 0: it took the lock this moment and has not written its pid yet
            asked = _ask(pid)
        if time.monotonic() - began > STOPPED_WITHIN_S:
            number = asked.pid if asked is not None else pid
            raise DeadlineExceeded(
                f"The platform on {folder.root} (pid {number}) still runs after {STOPPED_WITHIN_S:g} s. "
                f"'kill -9 {number}' ends it; the next 'ffx up' cleans up."
            )
        time.sleep(POLL_S)
    print(f"Stopped the platform on {folder.root} in {time.monotonic() - began:.1f} s.", file=sys.stderr)


def _ask(pid: int) -> psutil.Process | None:
    """Returns the process, None where it has ended by itself."""
    try:
        process = psutil.Process(pid)
        process.terminate()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise NotAllowed(f"The platform with pid {pid} belongs to another user. Stop it as that user.") from error
    return process


def _lives(process: psutil.Process | None) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
