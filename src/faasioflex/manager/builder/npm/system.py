"""Node: packages fetched by npm into a layer, no script of theirs run, and linked into the build as code/node_modules.

Beside the code, not at /ffx/deps: node looks for packages in the folders above the file that imports, for ES modules nowhere
else. The files are hard links, so a build costs its folders only.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import shutil
from pathlib import Path

from faasioflex.manager.builder import hosts
from faasioflex.manager.builder.jobs import Jobs, Step, StepFailed, read_only, writable
from faasioflex.manager.builder.npm import lock, manifest
from faasioflex.manager.builder.npm.settings import NpmSettings, global_files, machine_settings
from faasioflex.manager.builder.npm.words import explain, worth_reading
from faasioflex.manager.builder.store import FORMAT, LAYERS, Store, digest, remove, seal
from faasioflex.manager.builder.system import Layer, Made, Work, text_of
from faasioflex.model.errors import BuildFailed
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import Language
from faasioflex.runtime.toolchain import Toolchain, find

FOLDER, SETTINGS, CAFILE, CERTIFICATES = "/ffx/npm", "/ffx/npm.rc", "/ffx/npm-ca.pem", "/ffx/npm-more.pem"
NPM = "lib/node_modules/npm/bin/npm-cli.js"
MOST_FILES = 50_000
_PATIENCE = ("fetch-retry-mintimeout = 1000", "fetch-retry-maxtimeout = 8000")  # of npm it is a minute
_FOREIGN = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")


class Npm:
    """Implements PackageSystem."""

    def __init__(self, jobs: Jobs, store: Store) -> None:
        self._jobs = jobs
        self._store = store

    def stamp(self, kind: Language) -> list[object]:
        need = kind.toolchain
        found = find(need) if need is not None else None
        return [found.version if found else need and need.version]

    async def make(self, work: Work) -> Made:
        wanted, locked = _wanted(work)
        if wanted is None:
            return Made()
        key = digest(FORMAT, "npm", wanted, locked, platform.machine(), platform.libc_ver()[0])
        if self._store.find(LAYERS, key):
            work.on_line("== packages: made before")
        else:
            await self._fetch(work, wanted, locked, key)
        layer = self._store.find(LAYERS, key)
        if layer is None:
            raise BuildFailed("the packages were removed while they were in use: deploy again")
        modules = work.code / "node_modules"
        await asyncio.to_thread(_replace, modules, layer)
        return Made(Layer(key, ""))

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        """It keeps nothing but layers."""

    async def _fetch(self, work: Work, wanted: manifest.Json, locked: manifest.Json | None, key: str) -> None:
        if work.toolchain is None:
            raise BuildFailed(f"the runtime {work.kind.name} names no toolchain, so there is no npm")
        settings = machine_settings(os.environ, Path.home(), global_files(work.toolchain.root))
        async with self._store.aside(LAYERS) as folder:
            place = folder / "npm"
            place.mkdir()
            (place / "package.json").write_text(json.dumps(wanted), "utf-8")
            if locked is not None:
                (place / "package-lock.json").write_text(json.dumps(locked), "utf-8")
            seal(place)
            step = _step(work.toolchain, place, settings, folder, ci=locked is not None)
            try:
                await self._jobs.run(step, lambda line: work.on_line(line) if worth_reading(line) else None)
            except StepFailed as error:
                if error.ended.exit_code is None:
                    raise
                raise BuildFailed(explain(error.lines)) from None
            made = place / "node_modules"
            if not made.is_dir():
                made.mkdir()  # all of them optional, and none for this machine
            await asyncio.to_thread(seal, made)
            count = await asyncio.to_thread(_count, made)
            if count > MOST_FILES:
                raise BuildFailed(f"the packages have {count} files together: at most {MOST_FILES}")
            self._store.keep(LAYERS, key, made)


def _wanted(work: Work) -> tuple[manifest.Json | None, manifest.Json | None]:
    """What package.json asks for and what the lock file says; (None, None) where nothing is asked for."""
    text = text_of(work.code, "package.json", manifest.LONGEST_BYTES)
    if text is None:
        return None, None
    lock_file = next((name for name in lock.FILES if (work.code / name).is_file()), None)
    wanted = manifest.read_manifest(text, locked=lock_file is not None)
    if wanted is None:
        return None, None
    if lock_file is None:
        for name in _FOREIGN:
            if (work.code / name).is_file():
                work.on_line(f"{name} is not read: versions are taken as package.json allows them")
        return wanted, None
    return wanted, lock.read_lock(text_of(work.code, lock_file, lock.LONGEST_BYTES) or "", lock_file)


def _step(toolchain: Toolchain, place: Path, settings: NpmSettings, scratch: Path, *, ci: bool) -> Step:
    """With the network; the registry's token may be in it, package code is not run."""
    inside = toolchain.inside
    argv = (
        f"{inside}/bin/node", f"{inside}/{NPM}", "ci" if ci else "install", "--ignore-scripts", "--omit=dev", "--no-audit",
        "--no-fund", "--no-progress", "--no-color", "--no-update-notifier", "--allow-git=none", "--allow-remote=none",
        "--allow-file=none", "--allow-directory=none", "--git=/ffx/no-git", "--logs-max=0",
        f"--cache={FOLDER}/.cache", f"--userconfig={SETTINGS}", "--globalconfig=/ffx/no-such-file",
    )  # fmt: skip
    binds = [writable(place, FOLDER), *(read_only(source, target) for source, target in toolchain.shown)]
    environment = {**settings.passed_on, "HOME": "/tmp", "NODE_USE_SYSTEM_CA": "1"}  # noqa: S108 - the sandbox's own
    lines = [*_PATIENCE, *settings.lines]
    if settings.cafile is not None:
        binds.append(read_only(settings.cafile, CAFILE))
        lines.append(f"cafile = {CAFILE}")
    if settings.certificates is not None:
        binds.append(read_only(settings.certificates, CERTIFICATES))
        environment["NODE_EXTRA_CA_CERTS"] = CERTIFICATES
    file = scratch / "settings"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    file.chmod(0o644)  # the folders above are ours alone; in the sandbox another uid reads it
    binds.append(read_only(file, SETTINGS))
    return Step(
        "fetch packages", argv, environment, tuple(binds), cwd=FOLDER, reaches=hosts.of_npm(lines), language=None
    )


def _count(folder: Path) -> int:
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))


def _replace(target: Path, layer: Path) -> None:
    """``target`` becomes the same tree as ``layer``, of hard links. Links among the packages are made again as they are."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    remove(target)
    for root, folders, files in os.walk(layer):
        here = target / Path(root).relative_to(layer)
        here.mkdir()
        here.chmod(0o755)
        for name in [*folders, *files]:
            source = Path(root, name)
            if source.is_symlink():
                (here / name).symlink_to(source.readlink())
            elif name in files:
                _link(source, here / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP):
            raise
        shutil.copy2(source, target)
