"""Under which issuer URLs this installation signs and has signed: a platform whose port changes logs nobody out."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from faasioflex.model.errors import Unavailable

MOST_REMEMBERED = 8
LOOK_AGAIN_S = 1.0
PATH = "/oidc"


def issuer_of(public_url: str) -> str:
    """The issuer of a platform at ``public_url``."""
    return public_url.rstrip("/") + PATH


class Issuers:
    """``current`` signs. A file of the data folder holds those from before, the newest first."""

    def __init__(self, path: Path, current: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.current = current
        self._path = path
        self._clock = clock
        self._known = frozenset({current})
        self._looked_at = float("-inf")

    def remember(self) -> None:
        """Write ``current`` down. Raises: Unavailable."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_name("issuers.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                listed = [self.current, *(one for one in self._read() if one != self.current)][:MOST_REMEMBERED]
                fresh = self._path.with_name(self._path.name + ".new")
                fresh.write_text(json.dumps(listed))
                fresh.chmod(0o600)
                fresh.replace(self._path)
            finally:
                os.close(lock)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}") from error
        self._looked_at = float("-inf")

    def known(self) -> frozenset[str]:
        """``current`` and those from before."""
        now = self._clock()
        if now - self._looked_at >= LOOK_AGAIN_S:
            self._known = frozenset({self.current, *self._read()})
            self._looked_at = now
        return self._known

    def _read(self) -> list[str]:
        try:
            found = json.loads(self._path.read_text())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from error
        if not isinstance(found, list):
            raise Unavailable(f"{self._path} must hold a list of URLs: remove it, then earlier tokens end")
        return [one for one in found if isinstance(one, str)][:MOST_REMEMBERED]
