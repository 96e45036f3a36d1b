"""``ffx test`` runs a function's own tests: those of every template pass, and code that is wrong fails them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faasioflex.cli.new import new
from faasioflex.cli.packing.pack import pack
from faasioflex.cli.templates import templates
from faasioflex.runtime.language import language

FFX = [sys.executable, "-m", "faasioflex.cli.main"]


def _ffx_test(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FFX, "test", str(folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip


@pytest.mark.timeout(660)
@pytest.mark.parametrize("runtime", templates())
def test_the_test_of_a_new_function_passes(runtime: str, tmp_path: Path) -> None:
    assert language(runtime).test
    new(tmp_path / "hello", runtime)
    done = _ffx_test(tmp_path / "hello")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("runtime", templates())
def test_two_new_functions_of_a_name_are_the_same_code(runtime: str, tmp_path: Path) -> None:
    for place in ("one", "two"):
        new(tmp_path / place / "hello", runtime)
    assert pack(tmp_path / "one" / "hello").file.read() == pack(tmp_path / "two" / "hello").file.read()


def test_a_test_that_fails_is_the_exit_code(tmp_path: Path) -> None:
    new(tmp_path / "hello", "exec")
    (tmp_path / "hello" / "handle.sh").write_text("#!/bin/sh\necho wrong\n")
    done = _ffx_test(tmp_path / "hello")
    assert done.returncode == 1
    assert "got 'wrong'" in done.stdout


def test_the_library_and_the_functions_env_are_there_and_dotenv_is_not(tmp_path: Path) -> None:
    new(tmp_path / "hello", "python")
    (tmp_path / "hello" / ".env").write_text("GREETING=from-dotenv\n")
    (tmp_path / "hello" / "test_main.py").write_text(
        "import os, unittest\nfrom ffx_runtime import Response\n\n\nclass T(unittest.TestCase):\n"
        "    def test_it(self):\n        self.assertEqual(os.environ['GREETING'], 'Hello')\n"
        "        self.assertEqual(Response(b'x', 201).status, 201)\n"
    )
    done = _ffx_test(tmp_path / "hello")
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_no_function_is_refused(tmp_path: Path) -> None:
    done = _ffx_test(tmp_path / "nowhere")
    assert done.returncode == 1
    assert "is not a folder" in done.stderr
