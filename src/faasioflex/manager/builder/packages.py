"""A function's packages as a layer: a folder keyed by what was asked for, and by the namespace where package code ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faasioflex.manager.builder.install import Install
from faasioflex.manager.builder.jobs import Jobs
from faasioflex.manager.builder.requirements import LONGEST_BYTES, from_pyproject, from_requirements_txt
from faasioflex.manager.builder.store import LAYERS, Store, layer_key
from faasioflex.model.errors import BuildFailed
from faasioflex.runtime.language import Language
from faasioflex.runtime.registries import Registries


@dataclass(frozen=True)
class Layer:
    """``owner``: the only namespace that may use it, "" for all."""

    key: str
    owner: str


class Packages:
    """Makes layers."""

    def __init__(self, jobs: Jobs, store: Store, registries: Registries) -> None:
        self._jobs = jobs
        self._store = store
        self._registries = registries

    async def layer(
        self, code: Path, language: Language, namespace: str, on_line: Callable[[str], None]
    ) -> Layer | None:
        """The layer that this code needs, None where it needs none. Raises: BuildFailed, StepFailed, Unavailable."""
        wanted = _wanted(code, language)
        if not wanted:
            return None
        for owner in ("", namespace):
            key = layer_key(wanted, owner)
            if self._store.find(LAYERS, key):
                on_line(f"== packages: {len(wanted)} requirements, made before")
                return Layer(key, owner)
        async with self._store.aside(LAYERS) as folder:
            install = Install(self._jobs, self._registries, folder, on_line)
            await install.fill(folder / "layer", wanted)
            owner = namespace if install.built else ""
            key = layer_key(wanted, owner)
            self._store.keep(LAYERS, key, folder / "layer")
            return Layer(key, owner)


def _wanted(code: Path, language: Language) -> list[str]:
    """Sorted requirements of the first dependency file that lies in the root of the code."""
    for name in language.dependency_files:
        file = code / name
        if not file.is_file() or not file.resolve().is_relative_to(code.resolve()):
            continue
        if file.stat().st_size > LONGEST_BYTES:
            raise BuildFailed(f"{name} is larger than {LONGEST_BYTES // 1024} KiB")
        try:
            text = file.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise BuildFailed(f"{name} is not UTF-8 text") from None
        return sorted(set(from_pyproject(text) if name == "pyproject.toml" else from_requirements_txt(text)))
    return []
