"""``{heap_mib}`` in a runtime's arguments: what of the limit of memory a garbage-collected heap may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.language import INSIDE, Language, language

MIB = 2**20


@pytest.fixture
def kind(tmp_path: Path) -> Language:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "runtime.toml").write_text(
        'start = ["toy", "--heap={heap_mib}", "serve"]\ncheck = ["toy", "--heap={heap_mib}"]\n'
    )
    return language("toy", tmp_path)


@pytest.mark.parametrize(("memory_mib", "heap_mib"), [(64, 16), (128, 72), (256, 192), (1024, 768)])
def test_the_heap_leaves_room_for_the_rest(kind: Language, memory_mib: int, heap_mib: int) -> None:
    assert kind.start_argv(INSIDE, memory_mib * MIB) == ["toy", f"--heap={heap_mib}", "serve"]
    assert kind.check_argv(INSIDE, memory_mib * MIB) == ["toy", f"--heap={heap_mib}"]


def test_without_a_limit_the_argument_is_left_out(kind: Language) -> None:
    assert kind.start_argv(INSIDE) == ["toy", "serve"]
    assert kind.check_argv(INSIDE) == ["toy"]
