"""``ffx new`` makes a folder that works at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from faasioflex.cli.deploying.plan import Wishes, plan
from faasioflex.cli.new import new
from faasioflex.cli.templates import PLACE_OF_NAME, templates, write_template
from faasioflex.model.errors import BadRequest, NotSupportedYet


@pytest.mark.parametrize("runtime", templates())
def test_the_folder_can_be_deployed_and_its_tests_stay_at_home(runtime: str, tmp_path: Path) -> None:
    new(tmp_path / "hello", runtime)
    made = plan(tmp_path / "hello", Wishes())
    assert (str(made.function), made.document["runtime"]) == ("admin/hello", runtime)
    assert made.archive is not None
    assert not [name for name in made.archive.names if "test" in name or "README" in name or "requests" in name]


@pytest.mark.parametrize("runtime", templates())
def test_its_manifest_names_it_and_no_place_is_left_unfilled(runtime: str, tmp_path: Path) -> None:
    new(tmp_path / "folder", runtime, "other-name")
    assert yaml.safe_load((tmp_path / "folder" / "function.yaml").read_text())["name"] == "other-name"
    files = [path for path in (tmp_path / "folder").rglob("*") if path.is_file()]
    assert not [path for path in files if PLACE_OF_NAME in path.read_text() or path.suffix == ".tmpl"]


@pytest.mark.parametrize("runtime", templates())
def test_it_brings_a_sample_request_and_a_page_that_says_what_to_type(runtime: str, tmp_path: Path) -> None:
    new(tmp_path / "hello", runtime)
    assert list((tmp_path / "hello" / "requests").iterdir())
    assert "ffx test" in (tmp_path / "hello" / "README.md").read_text()


def test_python_and_exec_have_templates() -> None:
    assert {"python", "exec"} <= set(templates())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(BadRequest, match="not an empty folder"):
        new(tmp_path)


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadRequest, match="not an empty folder"):
        new(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_unknown_runtime_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(NotSupportedYet, match=r"cobol is not there: use .*python"):
        new(tmp_path / "hello", "cobol")
    assert not (tmp_path / "hello").exists()


def test_a_folder_whose_name_is_no_functions_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--name"):
        new(tmp_path / "9 lives")
    assert not (tmp_path / "9 lives").exists()


def test_any_folder_beside_the_descriptor_is_a_template(tmp_path: Path) -> None:
    template = tmp_path / "runtimes" / "perl" / "template" / "deep"
    template.mkdir(parents=True)
    (template.parents[1] / "runtime.toml").touch()
    (template / "run.pl.tmpl").write_text("#!/usr/bin/perl\n# {{name}}\n")
    (template / "as-it-is.txt").write_text("{{name}}")
    made = write_template("perl", tmp_path / "out", "greet", root=tmp_path / "runtimes")
    assert made == ["deep/as-it-is.txt", "deep/run.pl"]
    assert (tmp_path / "out/deep/run.pl").read_text() == "#!/usr/bin/perl\n# greet\n"
    assert (tmp_path / "out/deep/run.pl").stat().st_mode & 0o111
    assert (tmp_path / "out/deep/as-it-is.txt").read_text() == "{{name}}"
