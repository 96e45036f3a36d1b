"""Reading package.json: names from the registry, nothing else."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.builder.npm.manifest import check_spec, read_manifest
from faasioflex.model.errors import BuildFailed


def read(locked: bool = False, **content: Any) -> dict[str, Any] | None:
    return read_manifest(json.dumps(content), locked=locked)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "*",
        "1",
        "^1.2.3",
        "~1.2",
        ">=1 <2 || 3.x",
        "1.2.3-beta.1+build",
        "latest",
        "next",
        "npm:other@^1",
        "npm:@a/b@2",
    ],
)
def test_what_the_registry_answers(spec: str) -> None:
    check_spec("x", spec, "package.json")


@pytest.mark.parametrize(
    "spec",
    [
        "git+ssh://git@github.com/a/b.git", "git://x/y", "github:a/b", "a/b", "a/b#main", "gitlab:a/b", "bitbucket:a/b",
        "http://169.254.169.254/x.tgz", "https://example.com/x.tgz", "file:../x", "file:x.tgz", "./x", "../x", "/etc", "~/x",
        "C:\\x", "x.tgz", "x.tar.gz", "link:../x", "workspace:*", "npm:github:a/b", "npm:", "npm:a@git://x/y", "patch:x",
    ],
)  # fmt: skip
def test_what_comes_from_elsewhere(spec: str) -> None:
    with pytest.raises(BuildFailed):
        check_spec("x", spec, "package.json")
    for table in ("dependencies", "optionalDependencies", "peerDependencies"):
        with pytest.raises(BuildFailed):
            read(**{table: {"x": spec}})
    with pytest.raises(BuildFailed):
        read(dependencies={"x": "1"}, overrides={"y": {"z": spec}})


def test_nothing_is_asked_for() -> None:
    assert read() is None
    assert read(type="module", scripts={"postinstall": "x"}, devDependencies={"x": "github:a/b"}) is None
    assert read(dependencies={}, optionalDependencies=None) is None


def test_only_what_decides_is_kept() -> None:
    more = {"scripts": {"postinstall": "x"}, "engines": {"node": "1"}, "publishConfig": {}, "config": {}}
    kept = read(name="f", dependencies={"ms": "2"}, overrides={"a": "1", "b": {"c": "$ms"}}, **more)
    assert kept == {
        "private": True,
        "name": "f",
        "dependencies": {"ms": "2"},
        "overrides": {"a": "1", "b": {"c": "$ms"}},
    }


def test_development_counts_beside_a_lock_only() -> None:
    wanted = {"dependencies": {"ms": "2"}, "devDependencies": {"x": "github:a/b"}}
    assert "devDependencies" not in (read(**wanted) or {})
    assert (read(locked=True, **wanted) or {})["devDependencies"] == {"x": "github:a/b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "has to be a JSON object"),
        ('{"dependencies": ["x"]}', "has to be an object of names and versions"),
        ('{"dependencies": {"x": 1}}', "has to be a short text"),
        ('{"dependencies": {"../x": "1"}}', "is not the name of a package"),
        ('{"workspaces": ["a"]}', "workspaces are not taken"),
        (json.dumps({"dependencies": {f"p{n}": "1" for n in range(501)}}), "501 dependencies are too many"),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(BuildFailed, match=words):
        read_manifest(text, locked=False)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


@given(
    st.fixed_dictionaries({}, optional={name: _JSON for name in ("dependencies", "overrides", "workspaces", "name")})
)
def test_any_json_is_read_or_refused_in_words(content: dict[str, Any]) -> None:
    try:
        kept = read(**content)
    except BuildFailed:
        return
    assert kept is None or set(kept["dependencies"]) == set(content["dependencies"])


@given(st.text(string.printable, max_size=40))
def test_whatever_passes_names_no_place(spec: str) -> None:
    try:
        check_spec("x", spec, "package.json")
    except BuildFailed:
        return
    bare = spec.strip().removeprefix("npm:")
    assert ":" not in bare
    assert "/" not in bare or bare.startswith("@")
