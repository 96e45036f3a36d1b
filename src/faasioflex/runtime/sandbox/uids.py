"""Host uids for sandboxes when the platform runs as root: each instance and each job has one of its own, never 0."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from pathlib import Path

FIRST = 1_900_000_000  # above what distributions, systemd and container tools hand out
PER_INSTALLATION = 4096
INSTALLATIONS = 256
LOCKS = Path("/run/faasioflex/uids")


def is_reserved(uid: int) -> bool:
    return FIRST <= uid < FIRST + PER_INSTALLATION * INSTALLATIONS


class UidBlock:
    """One block of the reserved range, held as long as this process lives: by a lock that the kernel drops at its death."""

    def __init__(self, lock: int, first: int) -> None:
        self._lock = lock
        self._free = deque(range(first, first + PER_INSTALLATION))

    @classmethod
    def claim(cls, folder: Path = LOCKS) -> UidBlock:
        """The first block that nobody has.

        Raises: OSError when all are taken, or where locks cannot be made.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(INSTALLATIONS):
            lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return cls(lock, FIRST + number * PER_INSTALLATION)
        raise OSError(f"all {INSTALLATIONS} blocks of host uids are taken by other installations on this machine")

    def take(self) -> int:
        """A uid that was free for the longest time.

        Raises: OSError when every one is in use.
        """
        if not self._free:
            raise OSError(f"all {PER_INSTALLATION} host uids of this installation are in use")
        return self._free.popleft()

    def give_back(self, uid: int) -> None:
        """Only when no process and no file of that uid is left."""
        self._free.append(uid)

    def close(self) -> None:
        os.close(self._lock)
