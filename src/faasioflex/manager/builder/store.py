"""Finished builds and dependency layers on this node: folders by key, made aside and renamed, never changed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

from faasioflex.model.function import CodeSource, RevisionRecord

FORMAT = 2  # of what a build makes; raise it when builders make something else
BUILDS, LAYERS = "code", "packages"
_REMOVALS, _PAUSE_S = 20, 0.1


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def build_key(record: RevisionRecord, owner: str, stamp: Sequence[object] = ()) -> str:
    """Same code, runtime and handler on the same interpreter: same build. ``owner`` as that of its layer.

    ``stamp``: what else decides about it, as its package system says.
    """
    code = record.source.sha256 if isinstance(record.source, CodeSource) else record.source.image
    return digest(
        FORMAT, code, record.runtime, record.handler, owner, platform.python_version(), platform.machine(), *stamp
    )


def layer_key(requirements: list[str], owner: str) -> str:
    """``owner``: a namespace where package code ran, so that it reaches nobody else; "" where none did."""
    return digest(FORMAT, requirements, owner, platform.python_version(), platform.machine())


class Store:
    """Folders ``root``/kind/key; a ``.tmp-…`` one is being made or removed (or its maker was killed: swept at the start)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unused: dict[str, set[str]] = {}  # by kind: at the last collection, and not asked for since
        self._making: set[Path] = set()

    def sweep(self) -> None:
        """Make the folder; remove what a killed builder left, and what a step that died late wrote after a removal."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in set(self.root.glob("*/.tmp-*")) - self._making:
            remove(left)

    def find(self, kind: str, key: str) -> Path | None:
        """Asking counts as use."""
        self._unused.get(kind, set()).discard(key)
        path = self.root / kind / key
        return path if path.is_dir() else None

    def keys(self, kind: str) -> set[str]:
        folder = self.root / kind
        return {name for name in os.listdir(folder) if not name.startswith(".")} if folder.is_dir() else set()

    @contextlib.asynccontextmanager
    async def aside(self, kind: str) -> AsyncIterator[Path]:
        """An empty folder, removed in the end; :meth:`keep` may put it or what is in it in place before."""
        path = self._aside(kind)
        self._making.add(path)
        path.mkdir(parents=True, mode=0o700)
        try:
            yield path
        finally:
            try:
                await self._remove(path)
            finally:
                self._making.discard(path)

    def keep(self, kind: str, key: str, made: Path) -> None:
        """Put it in place whole; where another build was faster, its result stands. Raises: OSError."""
        made.chmod(0o755)
        try:
            os.rename(made, self.root / kind / key)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise

    async def discard(self, kind: str, key: str) -> None:
        """From the moment of the call it is not found any more."""
        path = self._aside(kind)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.root / kind / key, path)
        await asyncio.to_thread(remove, path)

    async def collect(self, kind: str, in_use: Collection[str]) -> list[str]:
        """Remove what is not in use, was not at the last collection either, and was not asked for in between.

        So what somebody found before he says that he uses it stays, however long that takes him.
        """
        before = self._unused.get(kind, set())
        unused = self._unused[kind] = self.keys(kind) - set(in_use)
        gone = []
        for key in sorted(before & unused):
            if key in unused:  # still, after the removal of others
                await self.discard(kind, key)
                gone.append(key)
        unused.difference_update(gone)
        return gone

    async def _remove(self, path: Path) -> None:
        """A step that was cut short may still write while it is being killed."""
        for _ in range(_REMOVALS):
            await asyncio.to_thread(remove, path)
            if not path.exists():
                return
            await asyncio.sleep(_PAUSE_S)

    def _aside(self, kind: str) -> Path:
        return self.root / kind / f".tmp-{secrets.token_hex(6)}"


def seal(folder: Path) -> None:
    """Readable by all, writable by none but us, no special files: what steps of a build left is only data from now on.

    Links stay (they are resolved inside a sandbox, against its own root). Never follows one.
    """
    folder.chmod(0o755)
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


def remove(path: Path) -> None:
    """Whatever modes its folders were given; no error where there is nothing, or where something cannot go."""
    if not path.is_dir() or path.is_symlink():
        return
    with contextlib.suppress(OSError):
        path.chmod(0o700)
        for root, folders, _ in os.walk(path):
            for name in folders:
                if not os.path.islink(os.path.join(root, name)):
                    os.chmod(os.path.join(root, name), 0o700)
    shutil.rmtree(path, ignore_errors=True)
