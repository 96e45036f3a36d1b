"""docs/cli.md is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]


def test_the_reference_is_written_from_the_code() -> None:
    command = [sys.executable, str(REPO / "tools" / "make_cli_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
