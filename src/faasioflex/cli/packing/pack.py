"""Walk a folder and write a tar.gz of it. The same files give the same bytes, whenever and by whom they were made."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from faasioflex.cli.packing.ignore import IGNORE_FILE, Ignore
from faasioflex.model.errors import BadArchive, PayloadTooLarge

# what the platform takes; said here already, so that nobody uploads for minutes to be refused
MAX_PACKED_BYTES = 50 * 1024 * 1024
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_ENTRIES = 10_000
_IN_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """An open file, at its start; whoever holds it closes it. ``names`` are what is in it, relative to the folder."""

    file: IO[bytes]
    names: tuple[str, ...]
    packed_bytes: int

    @property
    def files(self) -> int:
        return len(self.names)


def pack(folder: Path) -> Archive:
    """Raises: BadArchive for an empty folder or what no archive holds, PayloadTooLarge beyond the platform's limits."""
    paths = list(sources(folder))
    if not paths:
        raise BadArchive(f"{folder} has no files to deploy")
    if len(paths) > MAX_ENTRIES:
        raise PayloadTooLarge(f"{folder} has {len(paths)} files, at most {MAX_ENTRIES} are taken: {_ADVICE}")
    if sum(path.lstat().st_size for path in paths) > MAX_UNPACKED_BYTES:
        raise PayloadTooLarge(f"{folder} is over {MAX_UNPACKED_BYTES >> 20} MiB: {_ADVICE}")
    out = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 (returned open)
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in paths:
            _add(tar, path, path.relative_to(folder).as_posix())
    size = out.tell()
    if size > MAX_PACKED_BYTES:
        out.close()
        raise PayloadTooLarge(
            f"{folder} is {size >> 20} MiB packed, at most {MAX_PACKED_BYTES >> 20} are taken: {_ADVICE}"
        )
    out.seek(0)
    return Archive(out, tuple(path.relative_to(folder).as_posix() for path in paths), size)


def sources(folder: Path) -> Iterator[Path]:
    """The files and links that are sent, sorted by name.

    Raises: BadArchive for a socket, a pipe or a device.
    """
    ignore = Ignore.of(folder)
    for where, folders, files in os.walk(folder):
        here = Path(where)
        links = [name for name in folders if (here / name).is_symlink()]
        names = {name: (here / name).relative_to(folder).as_posix() for name in (*folders, *files)}
        folders[:] = sorted(n for n in folders if n not in links and not ignore.ignores(names[n], folder=True))
        for name in sorted((*files, *links)):
            if ignore.ignores(names[name], folder=name in links):
                continue
            mode = (here / name).lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise BadArchive(f"{names[name]} is not a file: name it in {IGNORE_FILE}, or remove it")
            yield here / name


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
        tar.addfile(info)
        return
    info.size, info.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    with path.open("rb") as content:
        tar.addfile(info, content)


_ADVICE = f"leave out what the function does not need with a file {IGNORE_FILE} (written like .gitignore)"
