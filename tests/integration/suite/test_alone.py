"""The suite in several processes: what is marked ``alone`` has the machine for itself, and is counted like everything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[2] / "conftest.py"
PLAIN = [part for name in ("asyncio", "hypothesispytest", "schemathesis") for part in ("-p", f"no:{name}")]
TESTS = """
import json, os, pathlib, time
import pytest

FOLDER = pathlib.Path(os.environ["WRITTEN"])

def note(name):
    began = time.monotonic()
    deadline = began + {each_s}
    while time.monotonic() < deadline:
        sum(range(1000))
    (FOLDER / f"{{name}}.json").write_text(json.dumps([began, time.monotonic(), os.getpid()]))

@pytest.mark.alone
@pytest.mark.parametrize("n", range(3))
def test_alone(n):
    note(f"alone-{{n}}")

@pytest.mark.parametrize("n", range(12))
def test_with_others(n):
    note(f"shared-{{n}}")

def test_fails():
    assert False
"""


def test_nothing_runs_beside_what_wants_to_be_alone(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS.format(each_s=0.1))
    (tmp_path / "conftest.py").symlink_to(CONFTEST)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers = alone\n  slow\npythonpath = {CONFTEST.parent}\n")
    written = tmp_path / "written"
    written.mkdir()
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST")}
    environment |= {"WRITTEN": str(written), "TMPDIR": str(tmp_path)}

    def suite(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-n", "3", "--dist", "load", *PLAIN, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]

    assert "1 failed, 15 passed" in suite()
    spans = {path.stem: json.loads(path.read_text()) for path in written.iterdir()}
    assert len({process for _, _, process in spans.values()}) > 1
    for name, (began, ended, _) in spans.items():
        if name.startswith("alone"):
            beside = [other for other, (b, e, _) in spans.items() if other != name and b < ended and e > began]
            assert beside == []
    assert not list(tmp_path.glob("ffx-suite-*"))

    assert "1 failed in" in suite("--last-failed", "-n", "0")  # as .ci/run does
