"""What the platform's own processes use, read from the kernel when somebody asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Pids = Callable[[], Mapping[str, int]]  # name -> pid
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """``open_fds`` None where they may not be counted."""

    resident_bytes: int
    cpu_s: float
    open_fds: int | None


def of(pids: Mapping[str, int], proc: Path = Path("/proc")) -> dict[str, Process]:
    """By name; those that ended meanwhile are left out, and all where there is no /proc."""
    found: dict[str, Process] = {}
    for name, pid in sorted(pids.items()):
        folder = proc / str(pid)
        try:
            resident = int((folder / "statm").read_text().split()[1]) * _PAGE
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError, ValueError):
            continue
        cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
        try:
            open_fds = len(os.listdir(folder / "fd"))
        except OSError:
            open_fds = None
        found[name] = Process(resident, cpu_s, open_fds)
    return found


def own() -> dict[str, int]:
    """This process alone: where nobody tells of the others."""
    return {"api": os.getpid()}
