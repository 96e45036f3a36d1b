"""Limits by control group: the port, and what is alike in versions 1 and 2.

A group belongs to one sandbox. Its process joins by writing ``0`` to each of :meth:`Group.join_files` before anything else, so
the limits stand before any code of the function is loaded; the CPU limit comes when the instance is ready.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CPU_PERIOD_US = 100_000
_LEAST_QUOTA_US = 1_000  # the kernel's
_BASE_NAME = re.compile(r"ffx-[0-9a-f]{12}")


@dataclass(frozen=True)
class Limit:
    """``memory_bytes`` counts everything the kernel does for the group, files in its tmpfs included.

    ``cpu_weight``: its part of the CPU where there is not enough, beside others with the usual 100.
    """

    memory_bytes: int
    processes: int
    cpu_weight: int = 100


class Group(Protocol):
    """Where a controller is not there, its limit is not set and its figures are None."""

    @property
    def holds_cpu(self) -> bool:
        """Whether :meth:`limit_cpu` has any effect."""

    def join_files(self) -> list[Path]: ...

    def limit_cpu(self, cores: float) -> None: ...

    def limit_memory(self, memory_bytes: int) -> None:
        """Raises: OSError where more is in use than that and cannot be given back."""

    def freeze(self, *, frozen: bool) -> bool:
        """False where this kind of group has no freezer that can be used: then its processes are stopped one by one."""

    def processes(self) -> set[int]:
        """Everything that is in it now, by pid."""

    def total_bytes(self) -> int | None:
        """All that counts against the limit: cheap to ask for."""

    def memory_bytes(self) -> int | None:
        """In use now, without files that the kernel can drop."""

    def anonymous_bytes(self) -> int | None:
        """In use by processes, with the buffers of sockets where they are counted apart: neither files nor tmpfs."""

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended a process of it for want of memory."""

    def cpu_s(self) -> float | None: ...

    def remove(self) -> bool:
        """Whether it is gone now; it cannot be while a process in it still dies."""


class Groups(Protocol):
    version: int
    controllers: frozenset[str]  # of memory, pids, cpu, cpuacct: those that can be had here

    def make(self, name: str, limit: Limit) -> Group: ...

    def bases(self) -> list[Path]:
        """The folders that hold the groups; a later start clears them when this one was killed."""


@dataclass(frozen=True)
class Mount:
    """A cgroup file system: where it is mounted and which part of its tree that shows."""

    at: Path
    root: str
    kind: str  # cgroup or cgroup2
    options: frozenset[str]

    def place(self, path: str) -> Path:
        """The folder of the group ``path`` (as /proc/PID/cgroup names it)."""
        relative = os.path.relpath(path, self.root) if path.startswith(self.root) else "."
        return (self.at / relative).resolve() if not relative.startswith("..") else self.at


def mounts(mountinfo: str) -> list[Mount]:
    """The cgroup mounts in the text of /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if separator and len(kinds) >= 3 and kinds[0] in ("cgroup", "cgroup2"):
            found.append(Mount(Path(fields[4]), fields[3], kinds[0], frozenset(kinds[2].split(","))))
    return found


def memberships(text: str) -> dict[str, str]:
    """Controller -> path of the text of /proc/self/cgroup; version 2 stands under the empty name."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def base_name(data: Path) -> str:
    """The name of this installation's groups."""
    return "ffx-" + hashlib.sha256(str(data).encode()).hexdigest()[:12]


def quota_us(cores: float) -> int:
    return max(int(cores * CPU_PERIOD_US), _LEAST_QUOTA_US)


def write(path: Path, value: str) -> None:
    path.write_text(value, "ascii")


def pids_in(folder: Path) -> set[int]:
    return {int(pid) for pid in _read(folder / "cgroup.procs").split()}


def read_int(path: Path) -> int:
    return int(_read(path))


def read_table(path: Path) -> dict[str, int]:
    """A file of ``name number`` lines."""
    pairs = (line.partition(b" ") for line in _read(path).splitlines())
    return {name.decode(): int(value) for name, _, value in pairs}


def _read(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:  # asked for several times a second per sandbox
        return file.read()


def sweep(folder: Path, alive: set[str]) -> None:
    """Remove the empty groups of installations that never start again; ``alive``: the base names of those that run."""
    for base in folder.glob("ffx-*"):
        if _BASE_NAME.fullmatch(base.name) and base.name not in alive:
            for empty, _, _ in os.walk(base, topdown=False):
                with suppress(OSError):  # it holds a process, or it is gone
                    os.rmdir(empty)


def clear(base: Path) -> None:
    """End what is in the groups under ``base`` and remove them with it; what is still dying stays for the next time."""
    if not base.is_dir():
        return
    for folder, _, _ in os.walk(base, topdown=False):
        for pid in Path(folder, "cgroup.procs").read_text("ascii").split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.rmdir(folder)
        except OSError:
            continue
