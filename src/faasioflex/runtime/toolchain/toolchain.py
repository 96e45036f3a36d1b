"""A toolchain that is on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

INSIDE = "/ffx/toolchain"


@dataclass(frozen=True)
class Toolchain:
    """``root``: its folder on this host. ``fetched``: it came from a wheel; else it is the machine's own."""

    name: str
    version: str
    root: Path
    fetched: bool
    parts: tuple[str, ...] = ()

    @property
    def inside(self) -> str:
        """The root as seen in a sandbox: a machine's keeps its path, because what it was built with may name it."""
        return INSIDE if self.fetched else str(self.root)

    @property
    def shown(self) -> tuple[tuple[Path, str], ...]:
        """Host path and path inside of everything that has to be seen, read-only."""
        if not self.parts:
            return ((self.root, self.inside),)
        return tuple((self.root / part, f"{self.inside}/{part}") for part in self.parts)

    @property
    def words(self) -> str:
        """For people: ``go 1.26.8 of this machine``."""
        return f"{self.name} {self.version}" + (" (fetched)" if self.fetched else " of this machine")
