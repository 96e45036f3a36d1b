"""What a descriptor says of a toolchain, and whether a machine's own is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from faasioflex.model.errors import Invalid
from faasioflex.runtime.language import language
from faasioflex.runtime.toolchain import Need, Toolchain, find
from faasioflex.runtime.toolchain.machine import read_version
from faasioflex.runtime.toolchain.need import parse

TABLE = {
    "name": "tool",
    "wheel": "tool-bin",
    "version": "2.1.0",
    "inside": "tool",
    "program": "bin/tool",
    "suitable": ">=2.0,<3",
}


def test_the_least_that_has_to_be_said() -> None:
    need = parse(TABLE, Path("/runtimes/x"))
    assert need == Need("tool", "tool-bin", "2.1.0", Path("/runtimes/x/toolchain.lock"), "tool", "bin/tool", ">=2.0,<3")
    assert (need.version_argv, need.when, need.parts) == (("--version",), "run", ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "blue"}, "unknown fields in toolchain: colour"),
        ({"when": "sometimes"}, "not run or build"),
        ({"suitable": "new"}, "not a range of versions"),
        ({"size_mb": "much"}, "number of megabytes"),
        ({"version_argv": "--version"}, "not a list of texts"),
        ({"program": "/usr/bin/tool"}, "not a path inside it"),
        ({"parts": ["bin", "../.."]}, "not a path inside it"),
        ({"wheel": ""}, "toolchain.wheel is not a text"),
    ],
)
def test_what_is_said_wrongly(changes: dict[str, object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        parse({**TABLE, **changes}, Path("/runtimes/x"))


def test_a_descriptor_with_a_wrong_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/runtime.toml").write_text('start = []\ncheck = []\n[toolchain]\nname = "x"\n')
    with pytest.raises(Invalid, match="not a runtime's descriptor"):
        language("odd", tmp_path)


@pytest.mark.parametrize("name", ["node", "go"])
def test_the_wheels_are_pinned_by_hash(name: str) -> None:
    need = language(name).toolchain
    assert need is not None
    text = need.lock.read_text()
    assert f"{need.wheel}=={need.version} \\\n" in text
    assert text.count("--hash=sha256:") >= 6  # x86_64 and aarch64, glibc, musl and macOS
    assert need.suits(need.version)


@pytest.mark.parametrize(
    ("name", "output", "suits"),
    [
        ("node", "v24.19.0\n", True),
        ("node", "v22.18.0\n", True),
        ("node", "v22.17.1\n", False),  # does not strip types
        ("node", "v20.19.2\n", False),  # Debian 13
        ("node", "v26.0.0\n", False),  # nobody has tried it
        ("go", "go version go1.27.3 linux/amd64\n", True),
        ("go", "go version go1.24 linux/arm64\n", True),
        ("go", "go version go1.24rc1 linux/arm64\n", False),
        ("go", "go version go1.19.8 linux/amd64\n", False),  # Debian 12
        ("go", "go version devel +abc Mon linux/amd64\n", False),
        ("go", "", False),
    ],
)
def test_suitable(name: str, output: str, suits: bool) -> None:
    need = language(name).toolchain
    assert need is not None
    assert need.suits(read_version(output) or "") is suits


def test_where_it_is_inside() -> None:
    own = Toolchain("tool", "2.1", Path("/opt/tool"), fetched=False, parts=("bin/tool", "lib"))
    assert own.shown == ((Path("/opt/tool/bin/tool"), "/opt/tool/bin/tool"), (Path("/opt/tool/lib"), "/opt/tool/lib"))
    got = Toolchain("tool", "2.1", Path("/home/ada/.cache/tool"), fetched=True)
    assert got.shown == ((Path("/home/ada/.cache/tool"), "/ffx/toolchain"),)


Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """An executable that says a version; returns the folder for PATH."""

    def make(place: str, version: str, mode: int = 0o755) -> Path:
        program = tmp_path / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho v{version}\n")
        program.chmod(mode)
        return program.parent

    return make


def test_the_first_suitable_one_in_path(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need = replace(parse(TABLE, Path("/x")), parts=("bin/tool", "lib/more"))
    folders = [
        put("old/bin/tool", "1.9"),
        put("home/scripts/tool", "2.5"),  # a wrapper: what would functions be shown?
        put("private/bin/tool", "2.5", 0o700),
        put("lacking/bin/tool", "2.5"),
        put("good/bin/tool", "2.6"),
    ]
    for name in ("old", "private", "good"):
        (tmp_path / name / "lib/more").mkdir(parents=True)
    monkeypatch.setenv("FFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", ":".join(map(str, folders[:-1])) + ":/usr/bin:/bin")
    assert find(need) is None
    monkeypatch.setenv("PATH", ":".join(map(str, folders)) + ":/usr/bin:/bin:.:")
    assert find(need) == Toolchain("tool", "2.6", tmp_path / "good", fetched=False, parts=need.parts)


def test_links_lead_to_the_program_itself(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("lib/tool-2.2/bin/tool", "2.2.0")
    (tmp_path / "bin").mkdir()
    os.symlink("../lib/tool-2.2/bin/tool", tmp_path / "bin/tool")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found = find(parse(TABLE, Path("/x")))
    assert found is not None
    assert (found.root, found.version) == (tmp_path / "lib/tool-2.2", "2.2.0")
