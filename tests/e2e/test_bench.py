"""``make bench``: one measure, little of it, so that the harness cannot rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.platform_process import environment

ROOT = Path(__file__).parents[2]


def test_a_measure_is_taken_and_written_down(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "bench",
        "--quick",
        "--only",
        "latency",
        "--languages",
        "python",
        "--into",
        str(tmp_path),
    ]
    done = subprocess.run(argv, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["left_out"] == []
    measured = result["measures"]["latency"]["python"]
    assert measured["own_socket_ms"]["median"] > 0
    assert measured["platform_ms"]["median"] > 0
    assert [goal["name"] for goal in result["goals"]] == ["added p50 of a call, python"]
    page = (tmp_path / "performance.md").read_text()
    assert page.startswith("# How fast it is")
    assert f"| python | {measured['own_socket_ms']['median']:.3f} |" in page
    assert [json.loads(kept.read_text()) for kept in tmp_path.glob("*.json")] == [result]
