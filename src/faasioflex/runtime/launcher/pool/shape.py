"""What of a sandbox is fixed when it starts. Spares of one shape serve all functions that want just that; others get a fresh one."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from faasioflex.model.function import Limits
from faasioflex.model.instance import InstanceSpec
from faasioflex.runtime.egress.plan import PLATFORM_URL
from faasioflex.runtime.language import HEAP, Language, language, languages

LEAST_MEMORY_BYTES = (
    48 * 1024 * 1024
)  # less than that, and what a spare has read beforehand would be missed by its function


@dataclass(frozen=True)
class Shape:
    """``language``: whose spares these are. ``memory_bytes``: their limit until they are somebody's; where the language bounds its
    heap by an argument, that of the function too. ``platform``: whether FFX_URL is served in them."""

    language: str
    memory_bytes: int
    disk_bytes: int
    processes: int
    platform: bool


def of(spec: InstanceSpec, kind: Language, *, relayed: bool) -> Shape | None:
    """The shape that ``spec`` fits into; None where it needs a sandbox that is started for it. ``relayed``: an egress relay
    serves what sandboxes connect to."""
    if kind.pool is None or spec.network.egress or spec.limits.memory_bytes < LEAST_MEMORY_BYTES:
        return None
    if any(fnmatchcase(name, pattern) for name in spec.env for pattern in kind.pool.fresh_for):
        return None
    owner = language(kind.pool.of)
    return _shape(owner, spec.limits, platform=relayed and spec.platform_url == PLATFORM_URL)


def usual(*, relayed: bool) -> list[Shape]:
    """Those of functions that leave their limits as they are, one for each language with spares of its own."""
    kinds = [language(name) for name in languages()]
    return [_shape(kind, Limits(), platform=relayed) for kind in kinds if kind.pool is not None and kind.pool.start]


def _shape(owner: Language, limits: Limits, *, platform: bool) -> Shape:
    start = owner.pool.start if owner.pool is not None else ()
    bounds_heap = any(HEAP in part for part in start)
    memory_bytes = limits.most_memory_bytes if bounds_heap else Limits().memory_bytes
    return Shape(owner.name, memory_bytes, limits.disk_bytes, limits.processes, platform)
