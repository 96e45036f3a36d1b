"""What /proc says of processes: whose children they are, what they use. Empty on a system without /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARENT, _CPU, _RESIDENT = 1, slice(11, 15), 21  # fields of /proc/PID/stat after the command's name


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    cpu_s: float  # with its dead children's
    resident_bytes: int


class ProcessTable:
    """One look at all processes of this machine."""

    def __init__(self, processes: dict[int, Process]) -> None:
        self._processes = processes
        self._children: dict[int, list[int]] = defaultdict(list)
        for process in processes.values():
            self._children[process.parent].append(process.pid)

    @classmethod
    def scan(cls) -> ProcessTable:
        found = (_read(pid) for pid in pids())
        return cls({process.pid: process for process in found if process is not None})

    def children(self, pid: int) -> list[int]:
        return self._children.get(pid, [])

    def tree(self, root: int) -> list[Process]:
        """``root`` and all below it. Orphans of a pid namespace are children of its init, so none is missed there."""
        found, todo = [], [root]
        while todo:
            pid = todo.pop()
            process = self._processes.get(pid)
            if process is not None:
                found.append(process)
                todo += self.children(pid)
        return found


def pids() -> Iterator[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def _read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    ticks = sum(int(value) for value in fields[_CPU])
    return Process(pid, int(fields[_PARENT]), ticks / _TICKS_PER_S, int(fields[_RESIDENT]) * _PAGE_BYTES)


def proportional_bytes(pid: int) -> int | None:
    """Memory of a process, each shared page counted in parts. None where it may not be read or is gone. Takes about 1 ms."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def memory_of(tree: list[Process], limit_bytes: int | None = None) -> int:
    """Bytes that the processes use. The cheap sum counts shared pages several times: only above the limit it is done right."""
    resident = sum(process.resident_bytes for process in tree)
    if limit_bytes is not None and resident <= limit_bytes:
        return resident
    exact = 0
    for process in tree:
        part = proportional_bytes(process.pid)
        exact += process.resident_bytes if part is None else part
    return exact


def pid_inside(pid: int) -> int | None:
    """The number that a process has in its own pid namespace."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"NSpid:"):
                    return int(line.split()[-1])
    except OSError:
        return None
    return None


def environment_of(pid: int) -> dict[bytes, bytes]:
    """The environment a process was started with; empty where it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
            return {name: value for name, separator, value in pairs if separator}
    except OSError:
        return {}
