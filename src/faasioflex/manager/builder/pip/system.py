"""Python: packages as a layer, a folder keyed by what was asked for and by the namespace where package code ran; bytecode."""

from __future__ import annotations

import asyncio

from faasioflex.manager.builder.check import compile_step
from faasioflex.manager.builder.jobs import Jobs, StepFailed
from faasioflex.manager.builder.pip.install import Install
from faasioflex.manager.builder.pip.requirements import LONGEST_BYTES, from_pyproject, from_requirements_txt
from faasioflex.manager.builder.store import LAYERS, Store, layer_key, seal
from faasioflex.manager.builder.system import Layer, Made, Work, text_of
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import Language
from faasioflex.runtime.registries import Registries


class Pip:
    """Implements PackageSystem."""

    def __init__(self, jobs: Jobs, store: Store, registries: Registries) -> None:
        self._jobs = jobs
        self._store = store
        self._registries = registries

    def stamp(self, kind: Language) -> list[object]:
        return []  # every key holds Python's version

    async def make(self, work: Work) -> Made:
        layer = await self._layer(work)
        await self._compile(work)
        return Made(layer, "layer" if layer else "none")

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        """It keeps nothing but layers."""

    async def _layer(self, work: Work) -> Layer | None:
        wanted = _wanted(work)
        if not wanted:
            return None
        namespace = work.record.namespace
        for owner in ("", namespace):
            key = layer_key(wanted, owner)
            if self._store.find(LAYERS, key):
                work.on_line(f"== packages: {len(wanted)} requirements, made before")
                return Layer(key, owner)
        async with self._store.aside(LAYERS) as folder:
            install = Install(self._jobs, self._registries, folder, work.on_line)
            await install.fill(folder / "layer", wanted)
            owner = namespace if install.built else ""
            key = layer_key(wanted, owner)
            self._store.keep(LAYERS, key, folder / "layer")
            return Layer(key, owner)

    async def _compile(self, work: Work) -> None:
        """A file that does not compile (Python 2 in a package's tests) is no error: what the handler needs, the check finds."""
        try:
            await self._jobs.run(compile_step(work.code), work.on_line)
        except StepFailed as error:
            if error.ended.exit_code is None:
                raise
        await asyncio.to_thread(seal, work.code)


def _wanted(work: Work) -> list[str]:
    """Sorted requirements of the first dependency file that lies in the root of the code."""
    for name in work.kind.dependency_files:
        text = text_of(work.code, name, LONGEST_BYTES)
        if text is not None:
            return sorted(set(from_pyproject(text) if name == "pyproject.toml" else from_requirements_txt(text)))
    return []
