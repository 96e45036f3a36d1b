"""What ``ffx dev`` reads: sample requests, the .env file, which saves count."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.cli.developing.project import read_project
from faasioflex.cli.developing.samples import find_sample, read_samples
from faasioflex.cli.developing.watching import Counts
from faasioflex.model.errors import BadRequest, Invalid


def _sample(folder: Path, name: str, text: str) -> None:
    (folder / "requests").mkdir(exist_ok=True)
    (folder / "requests" / name).write_text(text)


def test_a_body_is_posted_as_what_its_ending_says(tmp_path: Path) -> None:
    _sample(tmp_path, "b.txt", "hi")
    _sample(tmp_path, "a.json", "{}")
    _sample(tmp_path, "notes.md", "not a request")
    found = read_samples(tmp_path)
    assert [(one.name, one.method, one.path, one.headers, one.body) for one in found] == [
        ("a.json", "POST", "/", (("Content-Type", "application/json"),), b"{}"),
        ("b.txt", "POST", "/", (("Content-Type", "text/plain; charset=utf-8"),), b"hi"),
    ]
    file = tmp_path / "requests" / "a.json"
    curl = f"curl -sS -H 'Content-Type: application/json' --data-binary @{file} http://h:1/"
    assert found[0].curl("http://h:1/") == curl


def test_a_whole_request_has_method_path_fields_and_body(tmp_path: Path) -> None:
    text = "# a comment\nput /x?y=1 HTTP/1.1\nX-One: 1:2\nHost: elsewhere\nContent-Length: 99\n\nline\n\nmore\n"
    _sample(tmp_path, "a.http", text)
    found = find_sample(tmp_path, "a")
    assert (found.method, found.path, found.headers, found.body) == (
        "PUT",
        "/x?y=1",
        (("X-One", "1:2"),),
        b"line\n\nmore",
    )
    assert "-X PUT" in found.curl("http://h")
    assert "'http://h/x?y=1'" in found.curl("http://h")


@pytest.mark.parametrize("text", ["", "hello", "GET nowhere", "GET / HTTP/1.1 more", "GET /\nno field\n\n"])
def test_what_is_no_request_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    _sample(tmp_path, "a.http", text)
    with pytest.raises(BadRequest, match=r"a\.http"):
        read_samples(tmp_path)


def test_an_unknown_sample_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="none: put a file"):
        find_sample(tmp_path, "x")
    _sample(tmp_path, "a.json", "{}")
    with pytest.raises(BadRequest, match=r"there are a\.json"):
        find_sample(tmp_path, "x")


def _function(folder: Path, yaml: str = "name: hello\nruntime: python\nenv: {A: '1', B: '2'}\n") -> Path:
    (folder / "function.yaml").write_text(yaml)
    (folder / "main.py").write_text("")
    return folder


def test_dotenv_goes_over_the_manifests_env(tmp_path: Path) -> None:
    (_function(tmp_path) / ".env").write_text("# words\nexport B='three four'\nC=\"x\\ny\"\nWITHOUT\nD=${B}!\n")
    project = read_project(tmp_path)
    assert project.spec.env == {"A": "1", "B": "three four", "C": "x\ny", "D": "three four!"}
    assert project.from_file == ("B", "C", "D")
    assert read_project(tmp_path, env_of_folder=False).spec.env == {"A": "1", "B": "2"}


def test_a_line_of_dotenv_that_cannot_be_read_is_named_and_skipped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = _function(tmp_path) / ".env"
    file.write_bytes("A=9\n\n# words\nhunter2 is secret\n=x\nB='1\n2'\n".encode("utf-8-sig"))
    project = read_project(tmp_path)
    assert project.spec.env == {"A": "9", "B": "1\n2"}
    assert project.skipped == tuple(f"{file}, line {line}: skipped, it is not NAME=value" for line in (4, 5))
    assert capfd.readouterr().err == ""


def test_another_env_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--env-file"):
        read_project(_function(tmp_path), tmp_path / "missing")


def test_what_the_platform_would_refuse_is_refused_and_no_value_is_told(tmp_path: Path) -> None:
    (_function(tmp_path) / ".env").write_text("FFX_TOKEN=hunter2\n")
    with pytest.raises(Invalid, match="choose another name") as refused:
        read_project(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_a_folder_without_a_manifest_is_a_function_too(tmp_path: Path) -> None:
    folder = tmp_path / "my_function"
    folder.mkdir()
    (folder / "main.py").write_text("")
    spec = read_project(folder).spec
    assert (str(spec.function), spec.runtime) == ("admin/my-function", "python")


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("main.py", True), ("lib/a.py", True), ("function.yaml", True), (".ffxignore", True), (".env", True),
        (".git/index", False), ("node_modules/x/index.js", False), ("lib/__pycache__/a.pyc", False), ("README.md", False),
        ("../elsewhere.py", False),
    ],
)  # fmt: skip
def test_saves_of_what_would_be_deployed_count(tmp_path: Path, path: str, counts: bool) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / ".ffxignore").write_text("README.md\n")
    assert Counts(folder, folder / ".env")(None, str((folder / path).resolve())) is counts


def test_patterns_are_read_again_when_they_change(tmp_path: Path) -> None:
    counts = Counts(tmp_path, tmp_path / ".env")
    assert counts(None, str(tmp_path / "notes.md"))
    (tmp_path / ".ffxignore").write_text("*.md\n")
    assert counts(None, str(tmp_path / ".ffxignore"))
    assert not counts(None, str(tmp_path / "notes.md"))
