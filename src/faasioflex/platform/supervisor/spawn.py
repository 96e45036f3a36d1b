"""Start a process that cannot outlive us, and look at processes by /proc."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PART_VARIABLE = "FFX_PART"  # names the child; with FFX_DATA it marks a process as one of an installation's


def spawn(argv: Sequence[str], environment: Mapping[str, str], cwd: Path, output: int) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a session of its own, with SIGKILL when this process dies; stdout and stderr go to ``output``.

    Call it from the main thread: the kernel's parent-death signal follows the thread that forked. Raises OSError.
    """
    return subprocess.Popen(
        argv,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in order
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
    )


def _die_with(parent: int) -> Callable[[], None]:
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    return prepare


def start_ticks(pid: int) -> int | None:
    """When ``pid`` began, in clock ticks since boot: with the pid it names one process for ever. None: it is gone (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = text[text.rindex(")") + 2 :].split()
    return None if state in {"Z", "X"} else int(rest[18])
