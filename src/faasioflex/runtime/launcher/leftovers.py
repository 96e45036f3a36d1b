"""What an earlier launcher of the same data folder left when it was killed: processes and sockets."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from faasioflex.runtime.processes import environment_of, pids


def end_processes(data: Path) -> list[int]:
    """Kill every process that was started for an instance or a job of the installation in ``data``; returns their pids.

    Known by ``FFX_DATA`` and ``FFX_INSTANCE`` in their environment: the platform's own processes have only the first.
    """
    own = os.getpid()
    ended = []
    for pid in pids() if sys.platform == "linux" else _pids_elsewhere():
        if pid == own:
            continue
        environment = environment_of(pid) if sys.platform == "linux" else _environment_elsewhere(pid)
        if environment.get(b"FFX_DATA") == os.fsencode(data) and b"FFX_INSTANCE" in environment:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            ended.append(pid)
    return ended


def remove_sockets(folder: Path) -> int:
    """Empty the folder of instances' sockets, make it where it is not there; returns how many there were."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = list(folder.iterdir())
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _pids_elsewhere() -> list[int]:
    import psutil

    return psutil.pids()


def _environment_elsewhere(pid: int) -> dict[bytes, bytes]:
    import psutil

    try:
        return {os.fsencode(name): os.fsencode(value) for name, value in psutil.Process(pid).environ().items()}
    except (psutil.Error, OSError):
        return {}
