"""Which control groups this process can have: version 2 where delegated, else version 1, else none."""

from __future__ import annotations

import os
from pathlib import Path

from faasioflex.runtime.processes import environment_of, pids
from faasioflex.runtime.sandbox import cgroup, cgroup1, cgroup2
from faasioflex.runtime.sandbox.cgroup import Groups, base_name, memberships, mounts
from faasioflex.runtime.sandbox.cgroup1 import Groups1
from faasioflex.runtime.sandbox.cgroup2 import Groups2


def find(data: Path) -> Groups | None:
    """The groups of the installation in ``data``; None where only rlimits and a watch are left."""
    try:
        mounted = mounts(Path("/proc/self/mountinfo").read_text())
        member_of = memberships(Path("/proc/self/cgroup").read_text())
    except OSError:
        return None
    name = base_name(data)
    version2 = Groups2.find(mounted, member_of, name, lambda pid: _is_ours(pid, data))
    return version2 or Groups1.find(mounted, member_of, name)


def sweep(groups: Groups) -> None:
    """Remove what installations left that were killed and whose folders are gone: nobody else would."""
    found = (environment_of(pid).get(b"FFX_DATA") for pid in pids())
    alive = {base_name(Path(os.fsdecode(data)).resolve()) for data in found if data is not None}
    for base in groups.bases():
        cgroup.sweep(base.parent, alive | {base.name})


def _is_ours(pid: int, data: Path) -> bool:
    return pid in (os.getpid(), os.getppid()) or environment_of(pid).get(b"FFX_DATA") == os.fsencode(data)


def available() -> tuple[int, frozenset[str]] | None:
    """The version and the controllers that :func:`find` could use, by looking only: nothing is made or moved."""
    try:
        mounted = mounts(Path("/proc/self/mountinfo").read_text())
        member_of = memberships(Path("/proc/self/cgroup").read_text())
    except OSError:
        return None
    for mount in mounted:
        if mount.kind == "cgroup2":
            for folder in (mount.place(member_of.get("", "/")), mount.at):
                if os.access(folder, os.W_OK) and os.access(folder / "cgroup.subtree_control", os.W_OK):
                    given = frozenset((folder / "cgroup.controllers").read_text("ascii").split()) & frozenset(
                        cgroup2.WANTED
                    )
                    if {"memory", "pids"} <= given:
                        return 2, given
    found = {
        controller
        for controller in cgroup1.WANTED
        for mount in mounted
        if mount.kind == "cgroup"
        and controller in mount.options
        and os.access(mount.place(member_of.get(controller, "/")), os.W_OK)
    }
    return (1, frozenset(found)) if found else None
