"""bubblewrap's options in a memory file."""

from __future__ import annotations

import os
from collections.abc import Sequence


def in_memory(options: Sequence[str]) -> int:
    """A descriptor for ``--args``: the environment of a function never stands in a command line that all users can read.

    Raises: ValueError for text with a NUL, or that is no text.
    """
    if any("\0" in option for option in options):
        raise ValueError("a NUL in an option would begin another one: refused")
    descriptor = os.memfd_create("ffx-sandbox", os.MFD_CLOEXEC)
    content = b"".join(os.fsencode(option) + b"\0" for option in options)
    with open(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
