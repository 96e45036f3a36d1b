"""Which control groups this process can have: version 2 where delegated, else version 1, else none."""

from __future__ import annotations

import os
from pathlib import Path

from faasioflex.runtime.processes import environment_of
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


def _is_ours(pid: int, data: Path) -> bool:
    return pid in (os.getpid(), os.getppid()) or environment_of(pid).get(b"FFX_DATA") == os.fsencode(data)
