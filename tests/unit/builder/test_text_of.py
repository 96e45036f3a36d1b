"""Reading a file that a language gives a meaning to: what lies there under its name may be anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.manager.builder.system import text_of
from faasioflex.model.errors import BuildFailed

NAMES = ["go.mod", "package.json", "requirements.txt", "pyproject.toml"]


def test_a_file_and_none(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_bytes(b"\xef\xbb\xbfmodule x\n")
    (tmp_path / "link").symlink_to("go.mod")
    assert text_of(tmp_path, "go.mod", 100) == text_of(tmp_path, "link", 100) == "module x\n"
    assert text_of(tmp_path, "go.sum", 100) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_that_name_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "x").write_text("1")
    with pytest.raises(BuildFailed, match=f"^{name} must be a file"):
        text_of(tmp_path, name, 100)


@pytest.mark.parametrize("target", ["nowhere", "../outside", "."])
def test_a_link_to_what_is_no_file_of_the_code_is_told(tmp_path: Path, target: str) -> None:
    """And not taken for absent: a build that writes the file where there is none would follow the link."""
    (tmp_path / "outside").write_text("secret")
    code = tmp_path / "code"
    code.mkdir()
    (code / "go.mod").symlink_to(target)
    with pytest.raises(BuildFailed, match=r"^go\.mod must be a file"):
        text_of(code, "go.mod", 100)
