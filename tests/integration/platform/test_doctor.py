from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from faasioflex.platform import binaries
from support.platform_process import Platform, run_ffx


def findings(output: str) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(output)["findings"]}


def test_a_machine_that_runs_these_tests_is_well(short_folder: Path) -> None:
    done = run_ffx("doctor", "--data", str(short_folder / "d"), "-o", "json")
    found = findings(done.stdout)
    port = found.pop("port")  # somebody may have 8080
    assert {name for name, finding in found.items() if finding["level"] == "fail"} == set()
    assert found.keys() >= {
        "python",
        "nats-server",
        "envoy",
        "bubblewrap",
        "node",
        "go",
        "sandboxes",
        "seccomp",
        "disk",
        "data folder",
    }
    assert (done.returncode == 0) == (port["level"] != "fail")
    assert not (short_folder / "d").exists()


def test_toolchains_are_fetched_at_the_first_use_where_the_machine_has_none(short_folder: Path) -> None:
    cache = short_folder / "cache"
    done = run_ffx("doctor", "--data", str(short_folder / "d"), "-o", "json", FFX_CACHE=str(cache), PATH="/nowhere")
    found = findings(done.stdout)
    for name in ("node", "go"):
        assert found[name]["level"] == "ok"
        assert "is fetched at the first use" in found[name]["detail"]
        assert str(cache) in found[name]["detail"]
    assert not cache.exists()


def test_what_fails_has_a_cure_and_exit_code_1(short_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_ffx("doctor", FFX_PORT=port, FFX_DATA=str(short_folder / "d"))
    assert done.returncode == 1
    assert "--port 0" in done.stdout
    assert port in done.stdout


def test_a_folder_in_use_is_told_with_the_pid(platform: Platform) -> None:
    done = platform.run("doctor", "-o", "json")
    assert str(platform.document()["pid"]) in findings(done.stdout)["data folder"]["detail"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_fails() -> None:
    done = run_ffx("doctor", "--data", "/proc/nothing", "-o", "json")
    assert done.returncode == 1
    assert findings(done.stdout)["data folder"]["level"] == "fail"


def test_the_programs_are_those_of_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for locate in (binaries.nats_server, binaries.envoy, binaries.bubblewrap):
        path = locate()
        assert str(path).startswith(sys.prefix)
        assert os.access(path, os.X_OK)
