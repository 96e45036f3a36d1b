"""The end of the process, whatever still runs in it."""

from __future__ import annotations

import atexit
import os

RETIRED = 75  # exit code: replace me, a call does not end


def leave(code: int) -> None:
    """End the process at once, whatever threads of the function still run."""
    try:
        if code != RETIRED:
            atexit._run_exitfuncs()
    finally:
        os._exit(code)
