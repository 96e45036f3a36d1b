"""Control groups, version 1: one tree per controller, each used on its own where root may write it."""

from __future__ import annotations

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

WANTED = ("memory", "pids", "cpu", "cpuacct")
_SHARES = 1024  # of a group of usual weight
_SOCKETS = "memory.kmem.tcp"  # buffers of TCP and, for all its name, of UDP: counted apart from all other memory
_LIMITED = ("memory", "memory.memsw", _SOCKETS)


class Group1:
    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders
        sockets = folders["memory"] / f"{_SOCKETS}.usage_in_bytes" if "memory" in folders else None
        self._sockets = sockets if sockets is not None and sockets.exists() else None

    def join_files(self) -> list[Path]:
        return [folder / "cgroup.procs" for folder in dict.fromkeys(self._folders.values())]

    @property
    def holds_cpu(self) -> bool:
        return "cpu" in self._folders

    def limit_cpu(self, cores: float) -> None:
        if folder := self._folders.get("cpu"):
            write(folder / "cpu.cfs_period_us", str(CPU_PERIOD_US))
            write(folder / "cpu.cfs_quota_us", str(quota_us(cores)))

    def limit_memory(self, memory_bytes: int) -> None:
        if memory := self._folders.get("memory"):
            _limit_memory(
                memory, memory_bytes, raised=memory_bytes > read_int(memory / f"{_LIMITED[0]}.limit_in_bytes")
            )

    def freeze(self, *, frozen: bool) -> bool:
        """Version 1 has a freezer, but what it holds cannot be killed: a launcher's sandboxes would outlive it."""
        return False

    def processes(self) -> set[int]:
        return pids_in(next(iter(self._folders.values())))

    def total_bytes(self) -> int | None:
        folder = self._folders.get("memory")
        return None if folder is None else read_int(folder / "memory.usage_in_bytes") + self._socket_bytes()

    def memory_bytes(self) -> int | None:
        folder = self._folders.get("memory")
        if folder is None:
            return None
        used = read_int(folder / "memory.usage_in_bytes")
        return max(0, used - read_table(folder / "memory.stat").get("inactive_file", 0)) + self._socket_bytes()

    def anonymous_bytes(self) -> int | None:
        folder = self._folders.get("memory")
        if folder is None:
            return None
        return read_table(folder / "memory.stat").get("rss", 0) + self._socket_bytes()

    def _socket_bytes(self) -> int:
        return read_int(self._sockets) if self._sockets is not None else 0

    def killed_for_memory(self) -> bool:
        folder = self._folders.get("memory")
        return folder is not None and read_table(folder / "memory.oom_control").get("oom_kill", 0) > 0

    def cpu_s(self) -> float | None:
        folder = self._folders.get("cpuacct")
        return None if folder is None else read_int(folder / "cpuacct.usage") / 1e9

    def remove(self) -> bool:
        return all([_removed(folder) for folder in self._folders.values()])


class Groups1:
    """``found``: controller -> base folder of this installation, of those that could be made."""

    version = 1

    def __init__(self, found: dict[str, Path]) -> None:
        self._bases = found
        self.controllers = frozenset(found)

    @classmethod
    def find(cls, mounts: list[Mount], memberships: dict[str, str], name: str) -> Groups1 | None:
        """The groups below this process's own, so that limits set on the platform hold for all it starts; None without any."""
        found = {}
        for controller in WANTED:
            for mount in mounts:
                if mount.kind == "cgroup" and controller in mount.options:
                    base = mount.place(memberships.get(controller, "/")) / name
                    try:
                        base.mkdir(exist_ok=True)
                    except OSError:
                        continue  # not ours to write
                    found[controller] = base
                    break
        if not found:
            return None
        if "memory" in found:
            write(found["memory"] / "memory.use_hierarchy", "1")
        return cls(found)

    def make(self, name: str, limit: Limit) -> Group1:
        folders = {controller: base / name for controller, base in self._bases.items()}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)  # one folder twice where two controllers share a tree
        if memory := folders.get("memory"):
            _limit_memory(memory, limit.memory_bytes, raised=False)
        if cpu := folders.get("cpu"):
            write(cpu / "cpu.shares", str(limit.cpu_weight * _SHARES // 100))
        if pids := folders.get("pids"):
            write(pids / "pids.max", str(limit.processes))
        return Group1(folders)

    def bases(self) -> list[Path]:
        return list(dict.fromkeys(self._bases.values()))


def _limit_memory(folder: Path, memory_bytes: int, *, raised: bool) -> None:
    """Memory with swap may never be less than memory: which is written first depends on which way it goes."""
    for name in reversed(_LIMITED) if raised else _LIMITED:
        file = folder / f"{name}.limit_in_bytes"
        if name == _LIMITED[0] or file.exists():  # not every kernel has the others
            write(file, str(memory_bytes))


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
