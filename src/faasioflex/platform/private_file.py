"""Files that only we may read, whole or not there at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write 0600 and by rename: a reader sees the file before or the file after."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def make_private(folder: Path) -> None:
    """The folder with its parents, 0700 whatever it was. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def make_own(folder: Path) -> None:
    """As ``make_private``, in a folder where others may write: what somebody else put there is not touched. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it is somebody else's", str(folder))
    folder.chmod(0o700)
