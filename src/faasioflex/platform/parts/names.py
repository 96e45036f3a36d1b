"""The parts that ``ffx serve`` can run, by name. Imports nothing, so that the command's help is quick."""

from __future__ import annotations

from collections.abc import Sequence

PARTS = ("api", "manager", "gateway", "autoscaler", "relay", "invoker")
GROUPS = {"control": ("api", "manager", "gateway", "autoscaler", "relay")}


def expand(names: Sequence[str]) -> list[str]:
    """Parts of names and groups, each once, in order. Raises ValueError with a sentence."""
    found: dict[str, None] = {}
    for name in names:
        if name not in PARTS and name not in GROUPS:
            raise ValueError(f"there is no part {name!r}; there are {', '.join((*PARTS, *GROUPS))}")
        found.update(dict.fromkeys(GROUPS.get(name, (name,))))
    return list(found)
