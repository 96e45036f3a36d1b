"""What Go compiles once: the standard library with our runtime per user, and on top of it a cache per namespace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from faasioflex.manager.builder.go import steps
from faasioflex.manager.builder.jobs import Jobs
from faasioflex.manager.builder.store import FORMAT, Store, digest, remove, seal
from faasioflex.model.errors import Unavailable
from faasioflex.runtime.toolchain import Toolchain
from faasioflex.runtime.toolchain.store import cache_folder
from faasioflex.runtime.toolchain.turn import turn

SEEDS, CACHES = "seed", "go-cache"
LARGEST_BYTES = 1024 * 1024 * 1024  # of a namespace's cache: then it begins anew
_UNUSED_S = 14 * 24 * 3600.0


@dataclass(frozen=True)
class Seed:
    """``cache``: a GOCACHE to begin with; ``prepare``: the runtime's program that looks at code."""

    key: str
    cache: Path
    prepare: Path


@cache
def runtime_digest(folder: Path) -> str:
    """Of the runtime's sources: a build with other ones is another build."""
    found = hashlib.sha256()
    for path in sorted([folder / "main.go.tmpl", *(folder / "faasioflex").rglob("*")]):
        if path.is_file():
            found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


class Caches:
    """``store`` is the builder's; the seeds are the user's, shared by all data folders of this machine."""

    def __init__(self, jobs: Jobs, store: Store) -> None:
        self._jobs = jobs
        self._store = store
        self._locks: dict[str, asyncio.Lock] = {}

    async def seed(self, toolchain: Toolchain, runtime: Path, on_line: Callable[[str], None]) -> Seed:
        """Compiled at the first use of a toolchain: a minute of CPU time. Raises: StepFailed, Unavailable."""
        key = f"{toolchain.version}-{digest(FORMAT, 'go', toolchain.inside, runtime_digest(runtime))[:24]}"
        folder = cache_folder() / "go"
        try:
            async with turn(folder / f".{key}.lock", lambda: on_line("waiting: another process compiles Go's library")):
                place = folder / SEEDS / key
                if not place.is_dir():
                    await self._make_seed(toolchain, runtime, Store(folder), key, on_line)
                os.utime(place)
        except OSError as error:
            raise Unavailable(
                f"{error.filename or folder} cannot be written ({error.strerror}): see `ffx doctor`"
            ) from error
        return Seed(key, place / "cache", place / "prepare")

    async def _make_seed(
        self, toolchain: Toolchain, runtime: Path, seeds: Store, key: str, on_line: Callable[[str], None]
    ) -> None:
        seeds.sweep()  # we have the lock: what is there was left by somebody who was killed
        async with seeds.aside(SEEDS) as folder:
            made = folder / "made"
            before = _newest(seeds.root / SEEDS, f"{toolchain.version}-*")
            if before is None:
                (made / "cache").mkdir(parents=True)
            else:  # of an earlier runtime: its standard library is the same
                await asyncio.to_thread(shutil.copytree, before / "cache", made / "cache")
            await self._jobs.run(steps.seed(toolchain, runtime, made / "cache", made / "prepare"), on_line)
            await asyncio.to_thread(seal, made)
            (made / "prepare").chmod(0o755)
            seeds.keep(SEEDS, key, made)
        for old in (seeds.root / SEEDS).iterdir():
            if old.stat().st_mtime < time.time() - _UNUSED_S:
                await asyncio.to_thread(remove, old)

    def lock(self, namespace: str) -> asyncio.Lock:
        """For whoever uses that namespace's cache: it belongs to one job at a time."""
        return self._locks.setdefault(namespace, asyncio.Lock())

    async def of_namespace(self, namespace: str, seed: Seed) -> Path:
        """Its own copy, so that nothing that a compiler was made to write there reaches another namespace."""
        key = self.key(namespace)
        place = self._store.root / CACHES / key
        if _begun_with(place) == seed.key and await asyncio.to_thread(_size, place) <= LARGEST_BYTES:
            return place / "cache"
        await self._store.discard(CACHES, key)
        async with self._store.aside(CACHES) as folder:
            made = folder / "made"
            made.mkdir()
            await asyncio.to_thread(shutil.copytree, seed.cache, made / "cache")
            (made / "seed").write_text(seed.key, "ascii")
            self._store.keep(CACHES, key, made)
        return place / "cache"

    async def collect(self, namespaces: Collection[str]) -> None:
        await self._store.collect(CACHES, {self.key(one) for one in namespaces})

    @staticmethod
    def key(namespace: str) -> str:
        return digest("go", namespace)


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime, default=None)


def _begun_with(place: Path) -> str | None:
    try:
        return (place / "seed").read_text("ascii")
    except OSError:
        return None


def _size(folder: Path) -> int:
    return sum(os.lstat(os.path.join(root, name)).st_size for root, _, files in os.walk(folder) for name in files)
