"""Reading package-lock.json: what is locked stays, addresses go, other sources are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.builder.npm.lock import read_lock
from faasioflex.model.errors import BuildFailed

MS = {"version": "2.1.3", "resolved": "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz", "integrity": "sha512-x"}


def lock(**packages: Any) -> dict[str, Any]:
    """``packages``: __ for a slash."""
    entries = {name.replace("__", "/"): entry for name, entry in packages.items()}
    return read_lock(json.dumps({"lockfileVersion": 3, "packages": {"": {}, **entries}}), "package-lock.json")


def test_addresses_go_hashes_stay() -> None:
    read = lock(
        node_modules__ms=MS, **{"node_modules__a__node_modules__@b__c": {**MS, "resolved": "http://10.0.0.1/-/c-1.tgz"}}
    )
    assert read["packages"]["node_modules/ms"] == {"version": "2.1.3", "integrity": "sha512-x"}
    assert "resolved" not in read["packages"]["node_modules/a/node_modules/@b/c"]


def test_npm_6_writes_a_tree() -> None:
    tree = {"a": {**MS, "dependencies": {"b": MS}}, "d": {**MS, "dev": True, "version": "github:a/b"}}
    read = read_lock(json.dumps({"lockfileVersion": 1, "dependencies": tree}), "package-lock.json")
    assert "resolved" not in read["dependencies"]["a"]["dependencies"]["b"]
    tree["a"] = {**MS, "version": "git+ssh://x/y#1"}
    with pytest.raises(BuildFailed, match="no git, file or URL"):
        read_lock(json.dumps({"lockfileVersion": 1, "dependencies": tree}), "package-lock.json")


@pytest.mark.parametrize(
    "entry",
    [
        {"version": "1.0.0", "resolved": "git+ssh://git@github.com/a/b.git#123"},
        {"version": "1.0.0", "resolved": "file:x.tgz"},
        {"version": "1.0.0", "resolved": "https://codeload.github.com/a/b/tar.gz/123"},
        {"version": "1.0.0", "resolved": 5},
        {"version": "git+ssh://x/y"},
        {"resolved": "../a", "link": True},
        {"version": "1.0.0", "name": "../x"},
        "text",
    ],
)
def test_other_sources(entry: Any) -> None:
    with pytest.raises(BuildFailed):
        lock(node_modules__x=entry)


@pytest.mark.parametrize(
    "place", ["packages/a", "../x", "node_modules/../../x", "node_modules/x/lib", "/node_modules/x"]
)
def test_other_places(place: str) -> None:
    with pytest.raises(BuildFailed):
        lock(**{place.replace("/", "__"): MS})


def test_what_only_development_needs_may_be_from_anywhere() -> None:
    lock(node_modules__x={"version": "1", "resolved": "git+ssh://x", "dev": True})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("{}", "lists no packages"),
        ('{"packages": {"": {"workspaces": ["a"]}}}', "workspaces are not taken"),
        (json.dumps({"packages": {f"node_modules/p{n}": MS for n in range(5001)}}), "too many"),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(BuildFailed, match=words):
        read_lock(text, "package-lock.json")


_VALUES = st.none() | st.booleans() | st.text(max_size=60) | st.sampled_from([MS["resolved"], "file:x", "git://x"])


@given(
    st.dictionaries(
        st.sampled_from(["node_modules/a", "node_modules/@a/b", "x", "node_modules/a/node_modules/c"]),
        st.dictionaries(st.sampled_from(["version", "resolved", "integrity", "link", "name"]), _VALUES),
    )
)
def test_whatever_passes_has_no_address(packages: dict[str, Any]) -> None:
    try:
        read = read_lock(json.dumps({"packages": packages}), "package-lock.json")
    except BuildFailed:
        return
    assert all("resolved" not in entry and not entry.get("link") for entry in read["packages"].values())
