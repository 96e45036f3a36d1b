"""Which saves count: those of files that would be deployed, of function.yaml, of .ffxignore and of the .env files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from faasioflex.cli.developing.project import SECRETS_FILE
from faasioflex.cli.manifest import MANIFEST
from faasioflex.cli.packing.ignore import IGNORE_FILE, Ignore
from faasioflex.model.errors import BadRequest

QUIET_MS = 30  # of the folder, before what was saved is taken: an editor writes several files, or one in several steps
LONGEST_MS = 400


class Counts:
    """A filter: whether a path that changed is a part of the function."""

    def __init__(self, folder: Path, env_file: Path) -> None:
        self._folder = folder
        self._always = {folder / MANIFEST, folder / IGNORE_FILE, folder / SECRETS_FILE, env_file}
        self._read()

    def __call__(self, _change: Any, path: str) -> bool:
        changed = Path(path)
        if changed == self._folder / IGNORE_FILE:
            self._read()
        if changed in self._always:
            return True
        try:
            parts = changed.relative_to(self._folder).parts
        except ValueError:
            return False
        inside = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return not (
            any(self._ignore.ignores(one, folder=True) for one in inside[:-1])
            or self._ignore.ignores(inside[-1], folder=changed.is_dir())
        )

    def _read(self) -> None:
        try:
            self._ignore = Ignore.of(self._folder)
        except BadRequest:
            self._ignore = Ignore()


async def saves(folder: Path, env_file: Path, stop: asyncio.Event) -> AsyncIterator[list[str]]:
    """The paths that changed, relative to ``folder`` where they are in it; what is saved meanwhile comes with the next."""
    from watchfiles import awatch

    where = [folder] if env_file.is_relative_to(folder) else [folder, env_file.parent]
    changes = awatch(
        *where, watch_filter=Counts(folder, env_file), debounce=LONGEST_MS, step=QUIET_MS, stop_event=stop,
        rust_timeout=1000, raise_interrupt=False,
    )  # fmt: skip
    async for found in changes:
        paths = sorted({path for _, path in found})
        paths = [path for path in paths if Path(path).exists()] or paths  # not an editor's temporary files
        yield [str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else path for path in paths]
