"""The seccomp programs that tools/make_seccomp.py made ahead, opened for bubblewrap."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_FOLDER = Path(__file__).parent / "seccomp"


def program_files(*, memory_is_counted: bool) -> list[Path]:
    """What this machine's sandboxes load. Without a memory cgroup also the one against memory that no process shows.

    Raises: OSError where there is none for this machine.
    """
    machine = platform.machine()
    names = [f"{machine}.bpf"] if memory_is_counted else [f"{machine}.bpf", f"{machine}-uncounted.bpf"]
    found = [_FOLDER / name for name in names]
    for path in found:
        if not path.is_file():
            raise OSError(f"there is no seccomp program for {machine}: sandboxes run on x86_64 and aarch64")
    return found


def open_programs(*, memory_is_counted: bool) -> list[int]:
    """Descriptors at the start of each; bubblewrap reads them to the end, so every start needs its own."""
    return [os.open(path, os.O_RDONLY) for path in program_files(memory_is_counted=memory_is_counted)]
