"""A folder becomes an archive: what stays at home, what it looks like, what is refused."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from faasioflex.cli.packing import pack as packing
from faasioflex.cli.packing.ignore import Ignore
from faasioflex.cli.packing.pack import pack, sources
from faasioflex.model.errors import BadArchive, PayloadTooLarge


def _tree(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sources(folder)]


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        (["*.log"], "deep/er/x.log", True),
        (["*.log"], "x.logs", False),
        (["/build"], "build", True),
        (["/build"], "sub/build", False),
        (["build/"], "build", False),  # a file, and the pattern names folders
        (["docs/*.md"], "docs/a.md", True),
        (["docs/*.md"], "docs/sub/a.md", False),
        (["docs/**/a.md"], "docs/x/y/a.md", True),
        (["**/x"], "a/b/x", True),
        (["data/**"], "data/1/2", True),
        (["*.log", "!keep.log"], "keep.log", False),
        (["!.env"], ".env", False),
        (["# *.py"], "main.py", False),
        (["[ab].txt"], "a.txt", True),
        (["[!ab].txt"], "a.txt", False),
        (["a?c"], "abc", True),
        (["\\#odd"], "#odd", True),
        (["a.b"], "axb", False),
    ],
)
def test_patterns_match_as_in_gitignore(patterns: list[str], path: str, ignored: bool) -> None:
    assert Ignore(patterns).ignores(path, folder=False) is ignored


def test_a_pattern_for_folders_takes_folders() -> None:
    assert Ignore(["build/"]).ignores("build", folder=True)


def test_what_nobody_wants_stays_at_home(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        "main.py",
        "lib/a.py",
        ".git/HEAD",
        ".venv/bin/python",
        "lib/__pycache__/a.pyc",
        "node_modules/x/i.js",
        ".env",
    )
    _tree(tmp_path, "function.yaml", "sub/function.yaml")
    (tmp_path / ".ffxignore").write_text("*.md\n")
    _tree(tmp_path, "README.md")
    assert _names(tmp_path) == ["main.py", "lib/a.py", "sub/function.yaml"]


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    for name, times in (("one", (1, 1)), ("two", (10**9, 10**9))):
        _tree(tmp_path / name, "main.py", "lib/a.py")
        os.utime(tmp_path / name / "main.py", times)
    assert pack(tmp_path / "one").file.read() == pack(tmp_path / "two").file.read()


def test_contents_links_and_executable_bits_are_kept(tmp_path: Path) -> None:
    _tree(tmp_path, "main.py", "run.sh")
    (tmp_path / "run.sh").chmod(0o700)
    (tmp_path / "link").symlink_to("main.py")
    (tmp_path / "folder-link").symlink_to(".")
    archive = pack(tmp_path)
    with tarfile.open(fileobj=archive.file) as tar:
        members = {member.name: member for member in tar}
        main = tar.extractfile("main.py")
        assert main is not None
        assert main.read() == b"content of main.py\n"
    assert archive.files == len(members) == 4
    assert (members["run.sh"].mode, members["main.py"].mode) == (0o755, 0o644)
    assert (members["link"].issym(), members["link"].linkname, members["folder-link"].issym()) == (
        True,
        "main.py",
        True,
    )
    assert {member.uid for member in members.values()} == {0}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    _tree(tmp_path, "function.yaml")
    with pytest.raises(BadArchive, match="no files"):
        pack(tmp_path)


def test_a_pipe_is_refused_unless_ignored(tmp_path: Path) -> None:
    _tree(tmp_path, "main.py")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadArchive, match="pipe is not a file"):
        pack(tmp_path)
    (tmp_path / ".ffxignore").write_text("pipe\n")
    assert pack(tmp_path).files == 1


@pytest.mark.parametrize(("limit", "value"), [("MAX_ENTRIES", 1), ("MAX_UNPACKED_BYTES", 20), ("MAX_PACKED_BYTES", 20)])
def test_too_much_is_said_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    _tree(tmp_path, "a.py", "b.py")
    monkeypatch.setattr(packing, limit, value)
    with pytest.raises(PayloadTooLarge, match=r"\.ffxignore"):
        pack(tmp_path)


def test_the_limits_are_the_platforms() -> None:
    from faasioflex.manager.archive import limits

    assert (packing.MAX_PACKED_BYTES, packing.MAX_UNPACKED_BYTES, packing.MAX_ENTRIES) == (
        limits.MAX_PACKED_BYTES,
        limits.MAX_UNPACKED_BYTES,
        limits.MAX_ENTRIES,
    )


def test_the_first_pattern_counts_behind_a_byte_order_mark(tmp_path: Path) -> None:
    _tree(tmp_path, "main.py", "secret.key")
    (tmp_path / ".ffxignore").write_bytes("secret.key\n".encode("utf-8-sig"))
    assert _names(tmp_path) == ["main.py"]
