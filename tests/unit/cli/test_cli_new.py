"""``ffx new`` makes a folder that works at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from faasioflex.cli.deploying.plan import Wishes, plan
from faasioflex.cli.new import SUPPORTED, Runtime, new
from faasioflex.model.errors import BadRequest, NotSupportedYet

TESTS = {"python": [sys.executable, "-m", "unittest"], "exec": ["sh", "test.sh"]}


@pytest.mark.parametrize("runtime", SUPPORTED)
def test_the_test_in_the_folder_passes(runtime: Runtime, tmp_path: Path) -> None:
    new(tmp_path / "hello", runtime)
    done = subprocess.run(
        TESTS[runtime], cwd=tmp_path / "hello", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("runtime", SUPPORTED)
def test_the_folder_can_be_deployed_and_its_tests_stay_at_home(runtime: Runtime, tmp_path: Path) -> None:
    new(tmp_path / "hello", runtime)
    made = plan(tmp_path / "hello", Wishes())
    assert (str(made.function), made.document["runtime"], made.archive and made.archive.files) == (
        "admin/hello",
        runtime,
        1,
    )


@pytest.mark.parametrize("runtime", SUPPORTED)
def test_its_manifest_names_it(runtime: Runtime, tmp_path: Path) -> None:
    new(tmp_path / "folder", runtime, "other-name")
    assert yaml.safe_load((tmp_path / "folder" / "function.yaml").read_text())["name"] == "other-name"
    assert "__NAME__" not in "".join(path.read_text() for path in (tmp_path / "folder").iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(BadRequest, match="not an empty folder"):
        new(tmp_path)


@pytest.mark.parametrize("runtime", [Runtime.node, Runtime.go])
def test_a_runtime_of_later_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(NotSupportedYet, match="python or exec"):
        new(tmp_path / "hello", runtime)
    assert not (tmp_path / "hello").exists()
