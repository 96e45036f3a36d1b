"""bubblewrap's options in a memory file."""

from __future__ import annotations

import os
from collections.abc import Sequence


def in_memory(options: Sequence[str]) -> int:
    """A descriptor for ``--args``: the environment of a function never stands in a command line that all users can read."""
    descriptor = os.memfd_create("ffx-sandbox", os.MFD_CLOEXEC)
    content = b"".join(os.fsencode(option) + b"\0" for option in options)
    with open(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
