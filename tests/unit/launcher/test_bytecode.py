"""Bytecode of the runtimes is there and fresh before the first instance starts."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from faasioflex.runtime.launcher.bytecode import compile_runtimes

DESCRIPTOR = 'start = ["{python}", "{runtime}/start.py"]\ncheck = ["{python}", "{runtime}/start.py", "--check"]\n'


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module of a runtime in ``tmp_path``."""
    folder = tmp_path / "snake"
    (folder / "inside").mkdir(parents=True)
    (folder / "runtime.toml").write_text(DESCRIPTOR)
    module = folder / "inside" / "server.py"
    module.write_text("ANSWER = 41\n")
    return module


def compiled(module: Path) -> bytes:
    return Path(importlib.util.cache_from_source(str(module))).read_bytes()


def test_modules_are_compiled(module: Path, tmp_path: Path) -> None:
    compile_runtimes(tmp_path)
    assert b"ANSWER" in compiled(module)


def test_what_changed_is_compiled_again(module: Path, tmp_path: Path) -> None:
    compile_runtimes(tmp_path)
    module.write_text("QUESTION = 6 * 7\n")
    os.utime(module, (2_000_000_000, 2_000_000_000))  # its time counts in seconds
    compile_runtimes(tmp_path)
    assert b"QUESTION" in compiled(module)


def test_others_may_read_it_whatever_the_umask(module: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        compile_runtimes(tmp_path)
    finally:
        os.umask(before)
    made = Path(importlib.util.cache_from_source(str(module)))
    assert made.stat().st_mode & 0o044 == 0o044
    assert made.parent.stat().st_mode & 0o055 == 0o055


def test_a_module_that_does_not_compile_is_told_and_no_more(
    module: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module.write_text("def\n")
    compile_runtimes(tmp_path)
    assert any("is not compiled" in record.message for record in caplog.records)
