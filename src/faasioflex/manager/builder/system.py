"""The port of package systems: what turns unpacked code into code that can be checked. One small class each, see systems.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from faasioflex.model.errors import BuildFailed
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import Language
from faasioflex.runtime.toolchain import Toolchain

Deps = Literal["none", "layer", "own"]


@dataclass(frozen=True)
class Work:
    """A build under way. ``folder`` becomes the build: ``code`` in it is shown at /ffx/code."""

    record: RevisionRecord
    kind: Language
    toolchain: Toolchain | None
    folder: Path
    on_line: Callable[[str], None]

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def own_deps(self) -> Path:
        return self.folder / "deps"


@dataclass(frozen=True)
class Layer:
    """``owner``: the only namespace that may use it, "" for all."""

    key: str
    owner: str


@dataclass(frozen=True)
class Made:
    """``layer``: what it was made from, kept as long as the build; ``deps``: what is shown at /ffx/deps."""

    layer: Layer | None = None
    deps: Deps = "none"


class PackageSystem(Protocol):
    """Raises, where it says so: BuildFailed with a sentence for people, StepFailed, Unavailable."""

    def stamp(self, kind: Language) -> list[object]:
        """What decides about a finished build beside the code and the handler: versions of what made it."""

    async def make(self, work: Work) -> Made:
        """Raises as above."""

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        """Remove what it keeps for the next build of functions that are no more."""


def text_of(code: Path, name: str, longest_bytes: int) -> str | None:
    """A file in the root of the code; None where there is none. Raises: BuildFailed."""
    file = code / name
    if not os.path.lexists(file):
        return None
    if not file.is_file() or not file.resolve().is_relative_to(code.resolve()):
        raise BuildFailed(f"{name} must be a file: here it is a folder, or a link to what is no file of the code")
    if file.stat().st_size > longest_bytes:
        raise BuildFailed(f"{name} is larger than {longest_bytes // 1024} KiB")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BuildFailed(f"{name} is not UTF-8 text") from None
