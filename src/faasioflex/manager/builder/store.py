"""Finished builds and dependency layers on this node: folders by key, made aside and renamed, never changed afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from faasioflex.model.function import CodeSource, RevisionRecord

FORMAT = 1  # of what a build makes; raise it when builders make something else


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def build_key(record: RevisionRecord) -> str:
    """Same code, runtime and handler on the same interpreter: same build."""
    code = record.source.sha256 if isinstance(record.source, CodeSource) else record.source.image
    return digest(FORMAT, code, record.runtime, record.handler, platform.python_version(), platform.machine())


def layer_key(requirements: list[str], owner: str) -> str:
    """``owner``: a namespace where package code ran, so that it reaches nobody else; "" where none did."""
    return digest(FORMAT, requirements, owner, platform.python_version(), platform.machine())


class Store:
    """Folders under ``root``; a ``.tmp-…`` one is a build under way (or one that was killed: swept at the start)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def sweep(self) -> None:
        """Make the folder; remove what a killed builder left."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self.root.glob("*/.tmp-*"):
            remove(left)

    def find(self, kind: str, key: str) -> Path | None:
        path = self.root / kind / key
        return path if path.is_dir() else None

    @contextlib.contextmanager
    def aside(self, kind: str) -> Iterator[Path]:
        """An empty folder that :meth:`keep` may put in place; else it is removed."""
        path = self.root / kind / f".tmp-{secrets.token_hex(6)}"
        path.mkdir(parents=True, mode=0o700)
        try:
            yield path
        finally:
            if path.exists():
                remove(path)

    def keep(self, kind: str, key: str, aside: Path) -> Path:
        """Put it in place whole; where another build was faster, its result stands."""
        path = self.root / kind / key
        aside.chmod(0o755)
        with contextlib.suppress(OSError):
            os.rename(aside, path)
        return path

    def drop_others(self, kind: str, keys: set[str]) -> list[str]:
        """Remove finished folders whose key is not among these."""
        folder = self.root / kind
        gone = []
        for path in folder.iterdir() if folder.is_dir() else ():
            if not path.name.startswith(".tmp-") and path.name not in keys:
                remove(path)
                gone.append(path.name)
        return gone


def seal(folder: Path) -> None:
    """Readable by all, writable by none, no special files: what a package's build left is only data from now on.

    Links stay (they are resolved inside a sandbox, against its own root). Never follows one.
    """
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                continue
            if stat.S_ISDIR(mode):
                path.chmod(0o755)
            elif stat.S_ISREG(mode):
                path.chmod(0o755 if mode & 0o100 else 0o644)
            else:
                path.unlink()
    folder.chmod(0o755)


def remove(path: Path) -> None:
    """Whatever modes strangers' code gave its folders."""

    def open_up(function: object, name: str, _error: object) -> None:
        with contextlib.suppress(OSError):
            Path(name).parent.chmod(0o700)
            Path(name).chmod(0o700)
            if Path(name).is_dir() and not Path(name).is_symlink():
                shutil.rmtree(name, ignore_errors=True)
            else:
                Path(name).unlink()

    shutil.rmtree(path, onerror=open_up)
