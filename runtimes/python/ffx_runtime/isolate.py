"""The runtime's own packages, kept away from functions.

What lies in ``_packages`` is importable inside :func:`own_packages` only. Afterwards its modules are gone from ``sys.modules``
and its folder from ``sys.path``: a function that imports a package of the same name gets its own, or ModuleNotFoundError.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "_packages"
_ours: dict[str, ModuleType] = {}


def _names() -> set[str]:
    """Top-level names in the folder."""
    return {path.name.partition(".")[0] for path in FOLDER.glob("*") if not path.name.endswith((".dist-info", "bin"))}


@contextmanager
def own_packages() -> Iterator[None]:
    """Imports inside take the runtime's packages; modules of a function with these names are put back at the end."""
    names = _names()

    def take() -> dict[str, ModuleType]:
        found = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
        for name in found:
            del sys.modules[name]
        return found

    theirs = take()
    sys.modules.update(_ours)
    sys.path.insert(0, str(FOLDER))
    try:
        yield
    finally:
        sys.path.remove(str(FOLDER))
        _ours.update(take())
        sys.modules.update(theirs)
        for name in {str(FOLDER / one) for one in names} | {str(FOLDER)}:
            sys.path_importer_cache.pop(name, None)
