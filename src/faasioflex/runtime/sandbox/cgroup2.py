"""Control groups, version 2: one tree, used where it was delegated to us (systemd's ``Delegate=yes``) or we are root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from faasioflex.runtime.sandbox.cgroup import (
    CPU_PERIOD_US,
    Limit,
    Mount,
    pids_in,
    quota_us,
    read_int,
    read_table,
    write,
)

WANTED = ("memory", "pids", "cpu")
_OWN_LEAF = "ffx-platform"


class Group2:
    def __init__(self, folder: Path, controllers: frozenset[str]) -> None:
        self._folder = folder
        self._controllers = controllers

    def join_files(self) -> list[Path]:
        return [self._folder / "cgroup.procs"]

    @property
    def holds_cpu(self) -> bool:
        return "cpu" in self._controllers

    def limit_cpu(self, cores: float) -> None:
        if "cpu" in self._controllers:
            write(self._folder / "cpu.max", f"{quota_us(cores)} {CPU_PERIOD_US}")

    def limit_memory(self, memory_bytes: int) -> None:
        if "memory" in self._controllers:
            write(self._folder / "memory.max", str(memory_bytes))

    def freeze(self, *, frozen: bool) -> bool:
        file = self._folder / "cgroup.freeze"  # what is frozen so can be killed; since Linux 5.2
        if not file.exists():
            return False
        write(file, "1" if frozen else "0")
        return True

    def processes(self) -> set[int]:
        return pids_in(self._folder)

    def total_bytes(self) -> int | None:
        return read_int(self._folder / "memory.current") if "memory" in self._controllers else None

    def memory_bytes(self) -> int | None:
        if "memory" not in self._controllers:
            return None
        used = read_int(self._folder / "memory.current")
        return max(0, used - read_table(self._folder / "memory.stat").get("inactive_file", 0))

    def anonymous_bytes(self) -> int | None:
        return read_table(self._folder / "memory.stat").get("anon", 0) if "memory" in self._controllers else None

    def killed_for_memory(self) -> bool:
        return "memory" in self._controllers and read_table(self._folder / "memory.events").get("oom_kill", 0) > 0

    def cpu_s(self) -> float | None:
        return read_table(self._folder / "cpu.stat").get("usage_usec", 0) / 1e6

    def remove(self) -> bool:
        try:
            self._folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class Groups2:
    version = 2

    def __init__(self, base: Path, controllers: frozenset[str]) -> None:
        self._base = base
        self.controllers = controllers | {"cpuacct"}  # cpu.stat is in every group

    @classmethod
    def find(
        cls, mounts: list[Mount], memberships: dict[str, str], name: str, is_ours: Callable[[int], bool]
    ) -> Groups2 | None:
        """Below this process's own group, or as root at the top. None where neither gives us memory and pids.

        A group with processes cannot give controllers to its children: ours (``is_ours``) move to a leaf for that, a
        stranger's process never does.
        """
        for mount in mounts:
            if mount.kind != "cgroup2":
                continue
            own = mount.place(memberships.get("", "/"))
            for parent in dict.fromkeys((own.parent if own.name == _OWN_LEAF else own, mount.at)):
                controllers = _opened(parent, is_ours)
                if {"memory", "pids"} <= controllers:
                    made = _made_base(parent / name, controllers)
                    if made is not None:
                        return cls(made, controllers)
        return None

    def make(self, name: str, limit: Limit) -> Group2:
        folder = self._base / name
        folder.mkdir(exist_ok=True)
        write(folder / "memory.max", str(limit.memory_bytes))
        for file, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            if (folder / file).exists():
                write(folder / file, value)
        write(folder / "pids.max", str(limit.processes))
        if "cpu" in self.controllers:
            write(folder / "cpu.weight", str(limit.cpu_weight))
        return Group2(folder, self.controllers)

    def bases(self) -> list[Path]:
        return [self._base]


def _made_base(base: Path, controllers: frozenset[str]) -> Path | None:
    try:
        base.mkdir(exist_ok=True)
        write(base / "cgroup.subtree_control", _plus(controllers))
    except OSError:
        return None
    return base


def _opened(parent: Path, is_ours: Callable[[int], bool]) -> frozenset[str]:
    """Controllers that ``parent`` gives to its children, after we have tried to have them all."""
    try:
        wanted = frozenset((parent / "cgroup.controllers").read_text("ascii").split()) & frozenset(WANTED)
        given = frozenset((parent / "cgroup.subtree_control").read_text("ascii").split())
        if wanted <= given:
            return wanted
        if not os.access(parent / "cgroup.subtree_control", os.W_OK):
            return wanted & given
        _move_ours_to_a_leaf(parent, is_ours)
        write(parent / "cgroup.subtree_control", _plus(wanted))
    except OSError:
        return frozenset()
    return wanted


def _move_ours_to_a_leaf(parent: Path, is_ours: Callable[[int], bool]) -> None:
    pids = [int(pid) for pid in (parent / "cgroup.procs").read_text("ascii").split()]
    if pids and all(is_ours(pid) for pid in pids):
        leaf = parent / _OWN_LEAF
        leaf.mkdir(exist_ok=True)
        for pid in pids:
            write(leaf / "cgroup.procs", str(pid))


def _plus(controllers: frozenset[str]) -> str:
    return " ".join(f"+{name}" for name in sorted(controllers))
