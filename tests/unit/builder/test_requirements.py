from __future__ import annotations

import pytest

from faasioflex.manager.builder.pip.requirements import (
    build_needs,
    from_list,
    from_pyproject,
    from_requirements_txt,
    named,
)
from faasioflex.model.errors import BuildFailed

HASH = "sha256:" + "a" * 64


def test_names_markers_extras_comments_and_hashes() -> None:
    text = (
        "# tools\nrequests[socks] >=2.31 ; python_version>='3.8'  # web\n\n"
        f"six==1.16.0 \\\n    --hash={HASH} \\\n    --hash={HASH}\nidna"
    )
    assert from_requirements_txt(text) == [
        'requests[socks]>=2.31; python_version >= "3.8"',
        f"six==1.16.0 --hash={HASH} --hash={HASH}",
        "idna",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "-i https://elsewhere.example/simple",
        "--extra-index-url https://elsewhere.example/simple",
        "--find-links /etc",
        "-r other.txt",
        "-e .",
        "./local",
        "/etc/passwd",
        "../up",
        "thing @ https://elsewhere.example/thing.whl",
        "git+https://elsewhere.example/thing",
        "thing @ file:///etc/passwd",
        "six==1.0 --config-settings=x=y",
        "six; import os",
    ],
)
def test_nothing_but_names_from_the_registry(line: str) -> None:
    with pytest.raises(BuildFailed, match=r"requirements\.txt, line 2"):
        from_requirements_txt(f"idna\n{line}\n")


def test_pyproject_dependencies() -> None:
    text = '[project]\nname = "f"\ndependencies = ["six>=1", "idna"]\n[tool.uv.sources]\nsix = {path = "/etc"}\n'
    assert from_pyproject(text) == ["six>=1", "idna"]
    assert from_pyproject("[tool.x]\n") == []


@pytest.mark.parametrize(
    "text",
    [
        '[project]\ndependencies = "six"\n',
        "[project]\ndependencies = [1]\n",
        '[project]\ndynamic = ["dependencies"]\n',
        '[project]\ndependencies = ["six @ file:///etc/passwd"]\n',
        "[project",
        "a = " + "[" * 5000,
    ],
)
def test_pyproject_that_is_refused(text: str) -> None:
    with pytest.raises(BuildFailed, match=r"pyproject\.toml"):
        from_pyproject(text)


def test_too_many() -> None:
    with pytest.raises(BuildFailed, match="501"):
        from_requirements_txt("\n".join(f"a{number}" for number in range(501)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("six \\\n", ["six"]),
        ("six \\", ["six"]),
        ("# about six \\\nidna\n", ["idna"]),
        ("six==1.0 \\\n  --hash=sha256:aa # why\n\nidna", ["six==1.0 --hash=sha256:aa", "idna"]),
        ("six\r\nidna\r\n", ["six", "idna"]),
    ],
)
def test_lines_that_go_on(text: str, expected: list[str]) -> None:
    assert from_requirements_txt(text) == expected


@pytest.mark.parametrize(
    "requirement",
    [
        "six; os_name == 'x\n--index-url https://elsewhere.example'",
        "six; os_name == 'x\r-f /etc'",
        "six; os_name == 'a --hash=b'",
        "six; os_name == '\x00'",
        "six; " + "(" * 900 + "os_name == 'x'",
        "six" + "x" * 2000,
    ],
)
def test_nothing_slips_through_a_marker(requirement: str) -> None:
    with pytest.raises(BuildFailed, match="is not a package's name"):
        from_list([requirement], "here")


def test_what_a_package_lists_for_its_build() -> None:
    assert build_needs(None) == ["setuptools>=40.8.0"]
    assert build_needs("[tool.x]\n") == ["setuptools>=40.8.0"]
    assert build_needs('[build-system]\nrequires = []\nbackend-path = ["."]\n') == []
    assert build_needs('[build-system]\nrequires = ["hatchling>1"]\n') == ["hatchling>1"]
    for text in ('[build-system]\nrequires = "x"\n', 'build-system = "x"\n', '[build-system]\nrequires = ["-r x"]\n'):
        with pytest.raises(BuildFailed, match="build-system"):
            build_needs(text)


def test_a_requirement_by_its_name() -> None:
    wanted = ["six", f"My.Package[extra]>=1; os_name != 'nt' --hash={HASH}"]
    found = named("my-package", wanted)
    assert found is not None
    assert (str(found[0].specifier), found[1]) == (">=1", [HASH])
    assert named("other", wanted) is None
