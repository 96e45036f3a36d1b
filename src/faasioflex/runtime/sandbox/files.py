"""How many files a sandbox holds in its memory file systems. Empty ones take no space of a tmpfs, but memory of the kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SPARE_FILES = 4096


def most_files(size_bytes: int) -> int:
    """As many as would fill it if each held something, and some that are empty: folders, links, sockets."""
    return size_bytes // PAGE_BYTES + _SPARE_FILES


def too_many_files(pid: int, sizes: Mapping[str, int]) -> str | None:
    """A sentence when one of the places (path inside -> bytes it was made with) holds more files than it may.

    ``pid``: of a process inside. Before its view is complete, those paths lead to something of another size: not looked at.
    """
    for place, size in sizes.items():
        try:
            found = os.statvfs(f"/proc/{pid}/root{place}")
        except OSError:
            continue  # it has ended, or is not that far yet
        is_ours = found.f_blocks * found.f_frsize == -(-size // PAGE_BYTES) * PAGE_BYTES
        most = most_files(size)
        if is_ours and found.f_files - found.f_ffree > most:
            return f"holds more than {most} files in {place}: remove what is not needed, or raise limits.disk_bytes"
    return None
