"""Who holds a data folder: a lock on DIR/run/lock that the kernel drops with its process, with the holder's pid in it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from faasioflex.model.errors import Conflict, NotAllowed
from faasioflex.platform.folder import DataFolder


class FolderInUse(Conflict):
    """Another platform runs on the folder."""

    code, title = "folder-in-use", "The data folder is in use"

    def __init__(self, folder: DataFolder, pid: int) -> None:
        super().__init__(
            f"The data folder {folder.root} is in use by the platform with pid {pid}. "
            f"Stop it with 'ffx down --data {folder.root}', or name another folder with --data."
        )
        self.pid = pid


class FolderLock:
    """Held from ``take`` until ``release`` or the end of the process, however it ends."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._fd: int | None = None

    def take(self) -> None:
        """Raises FolderInUse with the holder's pid."""
        fd = os.open(_path(self._folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _read_pid(fd)
            os.close(fd)
            raise FolderInUse(self._folder, pid) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def holder(folder: DataFolder) -> int | None:
    """The pid of the platform that runs on ``folder`` (0 where it has just begun), or None. Raises NotAllowed."""
    try:
        fd = os.open(_path(folder), os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise NotAllowed(
            f"The data folder {folder.root} belongs to another user. Name another one with --data."
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(fd)
    finally:
        os.close(fd)
    return None


def _path(folder: DataFolder) -> Path:
    return folder.run / "lock"


def _read_pid(fd: int) -> int:
    text = os.pread(fd, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else 0
