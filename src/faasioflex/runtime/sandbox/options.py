"""bubblewrap's options, and files that exist for one sandbox only, in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence


def as_arguments(options: Sequence[str]) -> bytes:
    """What ``--args`` reads. Raises: ValueError for text with a NUL, or that is no text."""
    if any("\0" in option for option in options):
        raise ValueError("a NUL in an option would begin another one: refused")
    return b"".join(os.fsencode(option) + b"\0" for option in options)


def in_memory(content: bytes) -> int:
    """A descriptor to read it from. The environment of a function never stands in a command line that all users can read."""
    descriptor = os.memfd_create("ffx-sandbox", os.MFD_CLOEXEC)
    with open(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
