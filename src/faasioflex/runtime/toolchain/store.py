"""Toolchains that were fetched: one folder per version and user, shared by all data folders of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.toolchain import Toolchain


def cache_folder() -> Path:
    """``$FFX_CACHE``, else ``faasioflex`` in the user's cache folder. It may be removed whenever no platform runs."""
    chosen = os.environ.get("FFX_CACHE")
    if chosen:
        return Path(chosen).absolute()
    general = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(general) if os.path.isabs(general) else Path.home() / ".cache") / "faasioflex"


def folder_of(need: Need) -> Path:
    return cache_folder() / "toolchains" / f"{need.name}-{need.version}"


def fetched(need: Need) -> Toolchain | None:
    """That of an earlier fetch."""
    root = folder_of(need) / need.inside
    if not (root / need.program).is_file():
        return None
    return Toolchain(need.name, need.version, root, fetched=True, parts=need.parts)


def sweep(need: Need) -> None:
    """Remove what a killed fetch of this version left. Only for whoever holds its lock."""
    for left in folder_of(need).parent.glob(f".tmp-{need.name}-{need.version}-*"):
        shutil.rmtree(left, ignore_errors=True)


def lock_of(need: Need) -> Path:
    """The file whose lock says who fetches."""
    path = folder_of(need)
    return path.with_name(f".{path.name}.lock")
