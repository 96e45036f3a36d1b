"""Files of instances that are never on a disk: their token and their secrets, each instance's in a folder of its own.

Inside the folder is seen, read-only, at ``/run/ffx``. What is written again shows there at once and whole, by rename.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

INSIDE = "/run/ffx"
TOKEN = "token"  # noqa: S105  (a file's name)
SECRETS = "secrets"
_PLACE = re.compile(r"token|secrets/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def memory_folder(data: Path, wanted: Path | None = None) -> Path:
    """Where the folders of the installation in ``data`` go: below ``wanted``, /dev/shm or the user's runtime folder.

    Raises: OSError where none of them is memory; elsewhere than on Linux, a folder beside the sockets is taken.
    """
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    name = f"ffx-{os.geteuid()}-{digest}"
    if sys.platform != "linux":
        return data / "run" / name
    places = [wanted] if wanted is not None else [Path("/dev/shm"), Path(f"/run/user/{os.geteuid()}")]  # noqa: S108
    for place in places:
        if is_memory(place) and os.access(place, os.W_OK | os.X_OK):
            return place / name
    raise OSError(
        f"secrets of functions are kept in memory only, and {' nor '.join(map(str, places))} is a tmpfs that can be written: "
        "mount one at /dev/shm, or name another with the setting memory_folder"
    )


def is_memory(place: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether files in ``place`` are on no disk."""
    if not place.is_dir():
        return False
    device = place.stat().st_dev
    shown = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.read_text().splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[2] == shown:
            return right.split()[0] in _IN_MEMORY
    return False


class Folders:
    """All of a launcher's, below ``base``, which is emptied at the start: what is there was an earlier one's."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def open(self) -> int:
        """Make ``base`` and return how many folders an earlier launcher left. Raises: OSError where it is somebody else's."""
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._base.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self._base} is somebody else's: remove it")
        self._base.chmod(0o700)
        left = list(self._base.iterdir())
        for path in left:
            _remove(path)
        return len(left)

    def close(self) -> None:
        _remove(self._base)

    def make(self, instance: str) -> InstanceFolder:
        """An empty folder. Raises: OSError."""
        folder = self._base / instance
        folder.mkdir(mode=0o700)
        (folder / SECRETS).mkdir(mode=0o700)
        return InstanceFolder(folder)


class InstanceFolder:
    """``hand_over`` says whose it is, before the first ``write``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner: int | None = None
        self._written: dict[str, bytes] = {}

    def hand_over(self, uid: int | None) -> None:
        """Only ``uid`` may look into it (and we, who are root then); None: it runs as who we are."""
        self._owner = uid
        if uid is not None:
            for folder in (self.path / SECRETS, self.path):
                os.chown(folder, uid, uid)
                folder.chmod(0o500)

    def rename(self, instance: str) -> None:
        """It is that instance's; inside nothing changes. Raises: OSError."""
        self.path = self.path.rename(self.path.with_name(instance))

    def write(self, files: Mapping[str, bytes]) -> None:
        """Make its files these and no others. Raises: ValueError for a place that is none, OSError where memory is full."""
        for place in files:
            if _PLACE.fullmatch(place) is None or ".." in place:
                raise ValueError(f"{place[:80]!r} is not a file that instances are given")
        for place, content in files.items():
            if self._written.get(place) != content:
                self._put(place, content)
        for place in self._written.keys() - files.keys():
            (self.path / place).unlink(missing_ok=True)
        self._written = dict(files)

    def _put(self, place: str, content: bytes) -> None:
        beside = self.path.with_name(f".{self.path.name}.new")  # where the instance does not see it
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o400)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if self._owner is not None:
                    os.fchown(file.fileno(), self._owner, self._owner)
            beside.replace(self.path / place)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        self._written = {}
        _remove(self.path)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
