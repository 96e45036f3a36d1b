"""docs/isolation.md names tests: they exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "isolation.md"


def named() -> list[tuple[Path, str | None]]:
    """File and function of every test in the tables; ``…[x]`` and ``::test_x`` go on from the one before."""
    found: list[tuple[Path, str | None]] = []
    for text in re.findall(r"`([^`]+)`", PAGE.read_text()):
        if text in ("hostile/", "hostile/test_hostile_"):
            continue  # the page explains the short form
        if "/" not in text and not text.startswith(("::test_", "…[")):
            continue
        path, _, function = text.partition("::")
        if text.startswith("::test_"):
            found.append((found[-1][0], function))
        elif path.startswith("hostile/"):
            name = "test_hostile_" + path.removeprefix("hostile/")
            found.append((TESTS / "security" / "hostile" / name, function.partition("[")[0] or None))
        elif path.startswith(("sandbox/", "egress/", "archives/")):
            found.append((TESTS / "security" / path, None))
        elif path.startswith("tests/"):
            found.append((TESTS.parent / path, None))
    return found


def test_every_test_that_it_names_is_there() -> None:
    found = named()
    assert len(found) > 25
    for path, function in found:
        assert path.exists(), path
        assert function is None or f"def {function}(" in path.read_text(), (path, function)
