"""Who was disabled at Dex by the platform: a file, because Dex has no word for it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faasioflex.model.errors import Unavailable


class DisabledPeople:
    """Subjects, in a JSON list of the data folder; safe under several processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> frozenset[str]:
        """Raises: Unavailable."""
        try:
            return frozenset(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from error

    def set(self, subject: str, disabled: bool) -> None:
        """Raises: Unavailable."""
        try:
            with self._locked():
                there = self.all()
                now = there | {subject} if disabled else there - {subject}
                if now == there:
                    return
                fresh = self._path.with_name(self._path.name + ".new")
                with fresh.open("w") as file:
                    os.fchmod(file.fileno(), 0o600)
                    json.dump(sorted(now), file)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(self._path)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
