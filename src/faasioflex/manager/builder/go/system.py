"""Go: modules fetched as a layer, the function compiled with our runtime to one static program, which is its /ffx/deps."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from faasioflex.manager.builder.go import steps
from faasioflex.manager.builder.go.caches import Caches, runtime_digest
from faasioflex.manager.builder.go.module import default_module, needs_fetch
from faasioflex.manager.builder.go.settings import machine_settings
from faasioflex.manager.builder.jobs import Jobs
from faasioflex.manager.builder.store import FORMAT, LAYERS, Store, digest, seal
from faasioflex.manager.builder.system import Layer, Made, Work, text_of
from faasioflex.model.errors import BuildFailed, Invalid
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import Language, language
from faasioflex.runtime.toolchain import Toolchain, find

PROGRAM = "function"
LONGEST_BYTES = 4 * 1024 * 1024
MOST_MODULES = 200  # of the code itself, below its root
MOST_FILES = 100_000


class Go:
    """Implements PackageSystem."""

    def __init__(self, jobs: Jobs, store: Store) -> None:
        self._jobs = jobs
        self._store = store
        self._caches = Caches(jobs, store)

    def stamp(self, kind: Language) -> list[object]:
        need = kind.toolchain
        found = find(need) if need is not None else None
        return [found.version if found else need and need.version, runtime_digest(kind.folder)]

    async def make(self, work: Work) -> Made:
        if work.toolchain is None:
            raise BuildFailed(f"the runtime {work.kind.name} names no toolchain")
        text_of(work.code, "go.sum", LONGEST_BYTES)  # the build copies it: what is there must be a file
        if text_of(work.code, "go.mod", LONGEST_BYTES) is None:
            (work.code / "go.mod").write_text(default_module(work.toolchain.version), "utf-8")
            (work.code / "go.mod").chmod(0o644)
        layer = await self._layer(work, work.toolchain)
        seed = await self._caches.seed(work.toolchain, work.kind.folder, work.on_line)
        work.own_deps.mkdir()
        program = work.own_deps / PROGRAM
        namespace = work.record.namespace
        async with self._caches.lock(namespace):
            step = steps.build(
                work.toolchain,
                work.kind.folder,
                code=work.code,
                prepare=seed.prepare,
                cache=await self._caches.of_namespace(namespace, seed),
                layer=self._store.find(LAYERS, layer.key) if layer else None,
                handler=work.record.handler,
                program=program,
            )
            await self._jobs.run(step, work.on_line)
        seal(work.own_deps)
        program.chmod(0o755)
        work.on_line(f"{program.stat().st_size / 1_000_000:.1f} MB")
        return Made(layer, "own")

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        await self._caches.collect({record.namespace for record in in_use if _is_compiled_here(record)})

    async def _layer(self, work: Work, toolchain: Toolchain) -> Layer | None:
        files = await asyncio.to_thread(_module_files, work)
        if not needs_fetch(files["go.mod"]):
            return None
        key = digest(FORMAT, "go", files)
        if self._store.find(LAYERS, key):
            work.on_line("== modules: made before")
            return Layer(key, "")
        settings = await asyncio.to_thread(machine_settings, toolchain, os.environ, Path.home())
        async with self._store.aside(LAYERS) as folder:
            made, netrc = folder / "made", folder / "netrc"
            modules, mod = made / "modules", made / "mod"
            for path in (made, modules, mod):
                path.mkdir()
            for name, text in files.items():
                (mod / name).parent.mkdir(parents=True, exist_ok=True)
                (mod / name).write_text(text, "utf-8")
            seal(made)
            if settings.netrc is not None:
                shutil.copyfile(settings.netrc, netrc)
                netrc.chmod(0o644)  # the folders above are ours alone; in the sandbox another uid reads it
            step = steps.fetch(toolchain, work.kind.folder, modules=modules, folder=mod, settings=settings, netrc=netrc)
            await self._jobs.run(step, work.on_line)
            await asyncio.to_thread(seal, made)
            count = sum(len(names) for _, _, names in os.walk(made))
            if count > MOST_FILES:
                raise BuildFailed(f"the modules have {count} files together: at most {MOST_FILES}")
            self._store.keep(LAYERS, key, made)
        return Layer(key, "")


def _is_compiled_here(record: RevisionRecord) -> bool:
    try:
        return language(record.runtime).packages == "go"
    except Invalid:  # its runtime is not there any more
        return False


def _module_files(work: Work) -> dict[str, str]:
    """go.mod and go.sum of the root, and the go.mod of modules below it, which ``replace`` may name. Raises: BuildFailed."""
    found: dict[str, str] = {}
    for root, folders, names in os.walk(work.code):
        folders[:] = sorted(name for name in folders if name not in {"vendor", "node_modules", "testdata"})
        for name in names:
            if name == "go.mod" or (name == "go.sum" and Path(root) == work.code):
                place = os.path.relpath(os.path.join(root, name), work.code)
                found[place] = text_of(work.code, place, LONGEST_BYTES) or ""
        if len(found) > MOST_MODULES:
            raise BuildFailed(f"there are more than {MOST_MODULES} go.mod files in the code")
    return found
