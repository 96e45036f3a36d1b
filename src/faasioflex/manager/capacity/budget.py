"""The machine's memory, as far as it is ours: what it has, or what the control group that the platform lives in may take."""

from __future__ import annotations

import os
from pathlib import Path

from faasioflex.runtime.sandbox.cgroup import memberships, mounts

SHARE = 0.8  # the rest is for the platform itself, for builds and for files in the tmpfs of sandboxes
_FILES = {"cgroup2": "memory.max", "cgroup": "memory.limit_in_bytes"}


def machine_budget() -> int:
    """Bytes that instances, and sandboxes that wait for a function, may take together by default."""
    return int(min([physical_bytes(), *_bounds()]) * SHARE)


def physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _bounds() -> list[int]:
    """Of our own control group and all above it, where there are any."""
    try:
        mounted = mounts(Path("/proc/self/mountinfo").read_text())
        member_of = memberships(Path("/proc/self/cgroup").read_text())
    except OSError:
        return []
    found = []
    for mount in mounted:
        if mount.kind == "cgroup2" or "memory" in mount.options:
            own = mount.place(member_of.get("" if mount.kind == "cgroup2" else "memory", "/"))
            for folder in (own, *own.parents):
                if folder.is_relative_to(mount.at):
                    found += bound_of(folder / _FILES[mount.kind])
    return found


def bound_of(file: Path) -> list[int]:
    """[] where the file is not there or says that there is none."""
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return []
    return [int(text)] if text.isdigit() and int(text) > 0 else []
