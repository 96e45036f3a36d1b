"""Host uids for sandboxes when the platform runs as root: each instance and each job has one of its own, never 0."""

from __future__ import annotations

import socket
from collections import deque

FIRST = 1_900_000_000  # above what distributions, systemd and container tools hand out
PER_INSTALLATION = 4096
INSTALLATIONS = 256


def is_reserved(uid: int) -> bool:
    return FIRST <= uid < FIRST + PER_INSTALLATION * INSTALLATIONS


class UidBlock:
    """One block of the reserved range, held as long as this process lives.

    The claim is an abstract socket's name: the kernel gives it to one process of the machine and takes it back at its death.
    """

    def __init__(self, claim: socket.socket, first: int) -> None:
        self._claim = claim
        self._free = deque(range(first, first + PER_INSTALLATION))
        self.range = range(first, first + PER_INSTALLATION)

    @classmethod
    def claim(cls) -> UidBlock:
        """The first block that nobody has.

        Raises: OSError when all are taken.
        """
        for number in range(INSTALLATIONS):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0faasioflex-uids-{number}")
            except OSError:
                claim.close()
                continue
            return cls(claim, FIRST + number * PER_INSTALLATION)
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
        self._claim.close()
