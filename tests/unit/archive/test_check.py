"""What is taken, and that it is the same code however it was packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.archive.check import check_archive, check_files
from faasioflex.manager.archive.unpack import unpack
from faasioflex.model.errors import BadArchive, FfxError
from support.archives import file, special, tar_gz, zip_info, zipped

FILES = {"main.py": "def handle(event, context): ...\n", "pkg/__init__.py": "", "pkg/añadir.py": "x = 'é'\n"}


def as_bytes() -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in FILES.items()]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_the_same_files_are_the_same_code_however_they_come(form: int) -> None:
    told = check_files(FILES)
    packed = tar_gz(
        [special("pkg", tarfile.DIRTYPE), *(file("./" + name, body) for name, body in as_bytes())], form=form
    )
    forms = [packed, zipped(as_bytes()), zipped([("pkg/", b""), *reversed(as_bytes())], zipfile.ZIP_STORED)]
    assert {check_archive(data).source for data in forms} == {told.source}
    assert told.source.size_bytes == sum(len(body) for _, body in as_bytes())
    assert told.paths == tuple(sorted(FILES))


def test_what_is_stored_is_a_plain_tar_whose_digest_is_its_name() -> None:
    code = check_files(FILES)
    plain = gzip.decompress(code.packed)
    assert hashlib.sha256(plain).hexdigest() == code.source.sha256
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert [(one.name, one.mode, one.mtime, one.uid) for one in tar] == [
            (name, 0o644, 0, 0) for name in sorted(FILES)
        ]


def test_executable_files_and_links_inside_are_kept(tmp_path: Path) -> None:
    data = tar_gz(
        [
            file("bin/run", b"#!/bin/sh\n", 0o4775),
            special("run", tarfile.SYMTYPE, "bin/run"),
            special("bin/self", tarfile.SYMTYPE, "../bin"),
            special("copy", tarfile.LNKTYPE, "bin/run"),
        ]
    )
    code = check_archive(data)
    unpack(code.packed, tmp_path / "code", sha256=code.source.sha256)
    assert (tmp_path / "code/bin/run").stat().st_mode & 0o7777 == 0o755, "setuid is dropped"
    assert (tmp_path / "code/run").readlink() == Path("bin/run")
    assert (tmp_path / "code/copy").read_bytes() == b"#!/bin/sh\n"
    zipped_code = check_archive(
        zipped([(zip_info("bin/run", 0o100755), b"#!/bin/sh\n"), (zip_info("run", 0o120777), b"bin/run")])
    )
    assert zipped_code.paths == ("bin/run", "run")


def test_long_names_of_both_kinds_of_tar() -> None:
    name = "/".join(["folder-with-a-long-name"] * 12) + "/main.py"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert check_archive(tar_gz([file(name)], form=form)).paths == (name,)
    assert check_files({name: "x"}).paths == (name,)


def test_a_global_header_as_git_archive_writes_it_is_ignored() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "f00d"}) as tar:
        info, content = file("main.py")
        tar.addfile(info, io.BytesIO(content))
    assert check_archive(gzip.compress(out.getvalue())).paths == ("main.py",)


def test_several_gzip_members_and_padding_are_one_archive() -> None:
    plain = gzip.decompress(tar_gz([file("main.py", b"x" * 3000)]))
    data = gzip.compress(plain[:700]) + gzip.compress(plain[700:]) + bytes(100)
    assert check_archive(data).paths == ("main.py",)


def test_unpacked_trees_are_what_was_packed(tmp_path: Path) -> None:
    code = check_files(FILES)
    unpack(code.packed, tmp_path / "a/b")
    assert {str(one.relative_to(tmp_path / "a/b")) for one in (tmp_path / "a/b").rglob("*") if one.is_file()} == set(
        FILES
    )
    assert (tmp_path / "a/b/pkg").stat().st_mode & 0o777 == 0o755
    with pytest.raises(BadArchive, match="empty folders"):
        unpack(code.packed, tmp_path / "a/b")
    with pytest.raises(BadArchive, match="damaged"):
        unpack(code.packed, tmp_path / "c", sha256="0" * 64)


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00"]))
def test_no_bytes_do_anything_but_a_refusal(data: bytes, magic: bytes) -> None:
    with pytest.raises(FfxError):
        check_archive(magic + data)


@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(["zip", "tar", "gz"]))
def test_one_changed_byte_never_raises_anything_else(at: int, value: int, form: str) -> None:
    plain = gzip.decompress(tar_gz([file("main.py", b"print(1)\n" * 20), special("l", tarfile.SYMTYPE, "main.py")]))
    base = {"zip": zipped([("main.py", b"x" * 300), ("b/c.txt", b"")]), "tar": plain, "gz": gzip.compress(plain)}[form]
    changed = bytearray(base)
    changed[at % len(changed)] = value
    data = gzip.compress(bytes(changed)) if form == "tar" else bytes(changed)
    try:
        check_archive(data)
    except FfxError as error:
        assert error.status in (413, 422)  # noqa: PT017 - both outcomes are right


@given(st.dictionaries(st.text(min_size=1, max_size=30), st.text(max_size=30), min_size=1, max_size=5))
def test_any_map_of_files_is_taken_or_refused(files: dict[str, str]) -> None:
    try:
        code = check_files(files)
    except BadArchive:
        return
    assert len(code.paths) == len(files)
