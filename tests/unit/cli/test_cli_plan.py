"""From a folder and flags to the document that is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faasioflex.cli.deploying.plan import Wishes, plan
from faasioflex.cli.manifest import guess_runtime, unknown_fields
from faasioflex.model.errors import BadRequest, Invalid

MANIFEST = """
name: hello
runtime: python
env: {GREETING: hi, PLACE: here}
limits: {timeout_s: 5}
status: {state: ready}
"""


def _folder(tmp_path: Path, manifest: str | None = MANIFEST) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "main.py").write_text("def handle(event, context): return {}\n")
    if manifest is not None:
        (folder / "function.yaml").write_text(manifest)
    return folder


def test_the_manifest_is_the_document_and_flags_go_over_it(tmp_path: Path) -> None:
    changes = {
        "env": {"GREETING": "ho"},
        "limits": {"memory_bytes": 1, "timeout_s": None},
        "scaling": {"min_instances": None},
    }
    made = plan(_folder(tmp_path), Wishes(no_traffic=True, changes=changes))
    assert made.whole
    assert made.archive is not None
    assert made.document == {
        "namespace": "admin",
        "name": "hello",
        "runtime": "python",
        "env": {"GREETING": "ho", "PLACE": "here"},
        "limits": {"timeout_s": 5, "memory_bytes": 1},
        "rollout": "none",
    }


def test_a_manifest_is_utf_8_and_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = _folder(tmp_path, None)
    (folder / "function.yaml").write_bytes("name: hello\nruntime: python\nenv: {A: grün}\n".encode("utf-8-sig"))
    assert plan(folder, Wishes()).document["env"] == {"A": "grün"}


def test_flags_alone_say_only_what_they_name(tmp_path: Path) -> None:
    made = plan(
        _folder(tmp_path, None), Wishes(name="lab/x", changes={"env": {"A": "1"}, "labels": {}, "handler": None})
    )
    assert not made.whole
    assert made.document == {"namespace": "lab", "name": "x", "env": {"A": "1"}}
    assert made.of_new_function() == {**made.document, "runtime": "python"}


def test_a_folder_that_says_no_runtime_may_change_a_function_and_not_make_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    made = plan(tmp_path, Wishes(name="x", changes={"limits": {"memory_bytes": 2**28}}))
    assert made.document == {"namespace": "admin", "name": "x", "limits": {"memory_bytes": 2**28}}
    with pytest.raises(BadRequest, match="--runtime"):
        made.of_new_function()


def test_the_folder_names_what_nothing_else_names(tmp_path: Path) -> None:
    assert str(plan(_folder(tmp_path, None), Wishes(), lambda: "lab").function) == "lab/code"
    odd = tmp_path / "9lives"
    odd.mkdir()
    (odd / "main.py").touch()
    with pytest.raises(BadRequest, match="--name"):
        plan(odd, Wishes())


def test_an_image_needs_no_folder() -> None:
    made = plan(None, Wishes(name="web", image="nginx:1"))
    assert made.archive is None
    assert made.document == {"namespace": "admin", "name": "web", "runtime": "image", "source": {"image": "nginx:1"}}


def test_a_source_in_the_manifest_is_the_source(tmp_path: Path) -> None:
    made = plan(_folder(tmp_path, "name: a\nruntime: python\nsource: {files: {main.py: ''}}\n"), Wishes())
    assert made.archive is None


@pytest.mark.parametrize(
    ("document", "pointer", "advice"),
    [
        ({"handlr": "x"}, "/handlr", "'handler'"),
        ({"limits": {"memory": 1}}, "/limits/memory", "'memory_bytes'"),
        ({"scaling": {"zzz": 1}}, "/scaling/zzz", "known are"),
    ],
)
def test_a_field_that_does_not_exist_gets_a_suggestion(document: dict[str, Any], pointer: str, advice: str) -> None:
    (wrong,) = unknown_fields(document)
    assert wrong.pointer == pointer
    assert advice in wrong.message


def test_every_field_of_the_resource_is_known() -> None:
    from faasioflex.api.resource.request import FunctionIn

    document = {field.alias or name: {} for name, field in FunctionIn.model_fields.items()}
    assert unknown_fields(document) == []


@pytest.mark.parametrize(
    ("manifest", "error", "says"),
    [
        ("handlr: x", Invalid, "fields that do not exist"),
        ("- a", BadRequest, "not a mapping"),
        ("a: [", BadRequest, "cannot be read"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, manifest: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        plan(_folder(tmp_path, manifest), Wishes())


@pytest.mark.parametrize(
    ("file", "mode", "runtime"),
    [
        *[(name, 0o644, "python") for name in ("main.py", "requirements.txt", "pyproject.toml")],
        *[(f"index.{end}", 0o644, "node") for end in ("mjs", "js", "cjs", "ts", "mts")],
        *[(name, 0o644, "go") for name in ("function.go", "other.go", "go.mod")],
        *[("package.json", 0o644, "node"), ("handle.sh", 0o644, "bash"), ("run", 0o755, "exec")],
    ],
)
def test_files_say_the_runtime(tmp_path: Path, file: str, mode: int, runtime: str) -> None:
    (tmp_path / file).touch(mode)
    (tmp_path / file).chmod(mode)
    assert guess_runtime(tmp_path) == runtime


def test_what_holds_a_handler_says_more_than_a_list_of_packages(tmp_path: Path) -> None:
    for name in ("main.py", "package.json"):
        (tmp_path / name).touch()
    assert guess_runtime(tmp_path) == "python"


def test_files_that_say_nothing_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        BadRequest, match=r"--runtime, or as 'runtime:' in function\.yaml.*handle\.sh: bash.*index\.mjs"
    ):
        guess_runtime(tmp_path)


def test_files_of_two_runtimes_are_asked_about(tmp_path: Path) -> None:
    for name in ("main.py", "index.mjs"):
        (tmp_path / name).touch()
    with pytest.raises(BadRequest, match=r"index\.mjs means node, main\.py means python: name it with --runtime"):
        guess_runtime(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="ffx new"):
        plan(tmp_path / "nope", Wishes())
