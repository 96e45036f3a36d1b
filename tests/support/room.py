"""Who may run beside whom, where the suite runs in several processes: a test marked ``alone`` has the machine for itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Room:
    """A lock that many share or one has, kept by the kernel: it is given back whatever happens to its holder.

    Two files, so that one who wants it alone waits for those inside only, and not for those who come later.
    """

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("w")
        self._inside = (folder / "inside").open("w")

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(self._door, how)
        fcntl.flock(self._inside, how)
        if not alone:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._inside, fcntl.LOCK_UN)
            fcntl.flock(self._door, fcntl.LOCK_UN)

    def close(self) -> None:
        self._door.close()
        self._inside.close()
