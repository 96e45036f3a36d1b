"""Which languages functions can be written in here, for parts that never look at runtimes themselves."""

from __future__ import annotations

from functools import cache

from faasioflex.runtime.language import KNOWN, languages


@cache
def installed() -> tuple[str, ...]:
    """Names, sorted: each is a folder with a ``runtime.toml``. Looked up once per process."""
    return languages()


def is_known(name: str) -> bool:
    """Whether it is installed here or at least a runtime of the contract."""
    return name in KNOWN or name in installed()
