"""Ways out through the kernel: each is refused, in every language."""

from __future__ import annotations

import pytest

from security.hostile.conftest import everywhere
from support.hostile_platform import Attacker


@pytest.mark.parametrize("what", ["mounts", "namespaces", "other-processes", "kernel-services", "terminals", "powers"])
def test_ways_out(attackers: list[Attacker], what: str) -> None:
    for found in everywhere(attackers, what):
        found.nothing()
