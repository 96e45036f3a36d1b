from __future__ import annotations

import pytest

from faasioflex.manager.builder.requirements import from_pyproject, from_requirements_txt
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
