"""Archives that would write elsewhere, eat the machine or mean two things: refused whole, with the entry's name."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib

import pytest

from faasioflex.manager.archive.check import check_archive, check_files
from faasioflex.manager.archive.limits import MAX_ENTRIES, MAX_PACKED_BYTES, MAX_UNPACKED_BYTES, MIB
from faasioflex.model.errors import BadArchive, PayloadTooLarge
from support.archives import file, special, tar_gz, zip_info, zipped

NAMES = [
    "../evil",
    "a/../../evil",
    "/etc/passwd",
    "a\\b",
    "..",
    "a/..",
    "nl\nx",
    "bell\x07",
    "x" * 256,
    "d/" * 70 + "f",
    "é" * 520,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(name: str) -> None:
    for attempt in (
        lambda: check_archive(tar_gz([file("main.py"), file(name)])),
        lambda: check_files({"main.py": "", name: ""}),
    ):
        with pytest.raises(BadArchive) as refused:
            attempt()
        assert ascii(name)[1:20].rstrip("'") in str(refused.value), "the entry is named"
    if "\\" not in name:  # zipfile turns it around
        with pytest.raises(BadArchive):
            check_archive(zipped([("main.py", b""), (name, b"")]))


def test_a_nul_in_a_name() -> None:
    with pytest.raises(BadArchive, match="NUL"):
        check_files({"main.py\0.txt": ""})
    data = zipped([("main.pyX", b"x")]).replace(b"main.pyX", b"main.py\0")
    with pytest.raises(BadArchive, match="NUL"):
        check_archive(data)
    plain = gzip.decompress(tar_gz([file("ü" + "a" * 150)])).replace(b"aaa\n", b"a\0a\n")
    with pytest.raises(BadArchive, match="NUL"):
        check_archive(gzip.compress(plain))


@pytest.mark.parametrize(
    "links",
    [
        [("l", "/etc/passwd")],
        [("l", "../outside")],
        [("a/l", "../../outside")],
        [("x/y/d", ".."), ("x/e", "y/d/../..")],  # inside by its text, outside for a kernel
        [("a", "b"), ("b", "a")],
        [("a", "a/x")],
        [("l", "main.py/../../x")],
        [("l", "")],
    ],
)
def test_links_that_lead_out_or_in_circles(links: list[tuple[str, str]]) -> None:
    with pytest.raises(BadArchive, match="link"):
        check_archive(tar_gz([file("main.py"), *(special(name, tarfile.SYMTYPE, to) for name, to in links)]))
    with pytest.raises(BadArchive, match=r"link|no files"):
        check_archive(zipped([("main.py", b""), *((zip_info(name, 0o120777), to.encode()) for name, to in links)]))


def test_nothing_is_ever_written_below_a_link() -> None:
    with pytest.raises(BadArchive, match="as a file or link"):
        check_archive(tar_gz([special("d", tarfile.SYMTYPE, "e"), file("d/main.py")]))
    with pytest.raises(BadArchive, match="file and a folder"):
        check_archive(tar_gz([file("d/main.py"), special("d", tarfile.SYMTYPE, "e")]))


def test_hard_links_reach_only_earlier_files_of_the_archive() -> None:
    for target in ("/etc/shadow", "../x", "later", "."):
        with pytest.raises(BadArchive):
            check_archive(tar_gz([file("main.py"), special("l", tarfile.LNKTYPE, target), file("later")]))


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"V", b"D"]
)
def test_devices_and_other_kinds_in_tars(kind: bytes) -> None:
    with pytest.raises(BadArchive, match="thing"):
        check_archive(tar_gz([file("main.py"), special("thing", kind)]))


@pytest.mark.parametrize("mode", [0o010644, 0o020644, 0o060644, 0o140644])
def test_devices_and_other_kinds_in_zips(mode: int) -> None:
    with pytest.raises(BadArchive, match="thing"):
        check_archive(zipped([("main.py", b""), (zip_info("thing", mode), b"")]))


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "./a"), ("a/b", "a//b"), ("a", "a/b"), ("a/b", "a"), ("é", "e\u0301"), ("é/x", "e\u0301/y")],
)
def test_one_name_for_two_things(names: tuple[str, str]) -> None:
    with pytest.raises(BadArchive):
        check_archive(tar_gz([file(name) for name in names]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says that it writes a name twice
        data = zipped([(name, b"x") for name in names])
    with pytest.raises(BadArchive):
        check_archive(data)


def test_nothing_but_folders_is_no_code() -> None:
    for data in (tar_gz([special("d", tarfile.DIRTYPE)]), zipped([]), zipped([("d/", b"")])):
        with pytest.raises(BadArchive, match="no files"):
            check_archive(data)


def test_bombs_are_counted_while_they_are_read() -> None:
    zeros = bytes(MIB)
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packed:
        info = tarfile.TarInfo("zeros")
        info.size = 400 * MIB
        packed.write(info.tobuf())
        for _ in range(400):
            packed.write(zeros)
    big_zip = io.BytesIO()
    with zipfile.ZipFile(big_zip, "w", zipfile.ZIP_DEFLATED) as made, made.open("zeros", "w") as entry:
        for _ in range(300):
            entry.write(zeros)
    for data in (out.getvalue(), big_zip.getvalue()):
        tracemalloc.start()
        try:
            with pytest.raises(PayloadTooLarge, match="256 MiB"):
                check_archive(data)
            assert tracemalloc.get_traced_memory()[1] < 48 * MIB, "contents do not pile up in memory"
        finally:
            tracemalloc.stop()


def test_hard_links_count_with_what_they_would_copy() -> None:
    size = 2 * MIB
    entries = [
        file("big", bytes(size)),
        *(special(f"l{i}", tarfile.LNKTYPE, "big") for i in range(MAX_UNPACKED_BYTES // size)),
    ]
    with pytest.raises(PayloadTooLarge):
        check_archive(tar_gz(entries))


def test_too_many_entries() -> None:
    with pytest.raises(PayloadTooLarge, match="10000 entries"):
        check_archive(tar_gz([file(f"f{i}", b"") for i in range(MAX_ENTRIES + 1)]))
    with pytest.raises(PayloadTooLarge, match="10000 entries"):
        check_archive(zipped([(f"f{i}", b"") for i in range(MAX_ENTRIES + 1)]))
    assert len(check_files({f"f{i}": "" for i in range(MAX_ENTRIES)}).paths) == MAX_ENTRIES


def test_too_many_bytes_as_sent() -> None:
    with pytest.raises(PayloadTooLarge, match="50 MiB"):
        check_archive(b"PK\x03\x04" + bytes(MAX_PACKED_BYTES))


def with_sizes(data: bytes, unpacked: int) -> bytes:
    """The first entry's unpacked size, in both places where a zip states it."""
    changed = bytearray(data)
    struct.pack_into("<L", changed, 22, unpacked)
    struct.pack_into("<L", changed, data.index(b"PK\x01\x02") + 24, unpacked)
    return bytes(changed)


def test_a_zip_that_lies_about_sizes() -> None:
    data = zipped([("main.py", b"x" * 1000)])
    with pytest.raises(BadArchive, match="more bytes"):
        check_archive(with_sizes(data, 10))
    with pytest.raises(BadArchive, match="fewer bytes"):
        check_archive(with_sizes(data, 2000))


def test_a_zip_whose_entries_share_their_data() -> None:
    data = bytearray(zipped([("a.txt", b"x" * 1000), ("b.txt", b"y" * 1000)], zipfile.ZIP_STORED))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<L", data, second + 42, 0)  # the second entry's place: the first one's
    with pytest.raises(BadArchive):
        check_archive(bytes(data))
    quoted = quoted_overlap()
    with pytest.raises(BadArchive, match="overlaps"):
        check_archive(quoted)


def quoted_overlap() -> bytes:
    """Two entries of which the first, stored, covers the second's header and data."""
    body = b"z" * 50
    inner = (
        struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(body), len(body), len(body), 5, 0)
        + b"b.txt"
        + body
    )
    outer = (
        struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(inner), len(inner), len(inner), 5, 0)
        + b"a.txt"
    )
    local = outer + inner

    def central(name: bytes, content: bytes, at: int) -> bytes:
        sizes = (zlib.crc32(content), len(content), len(content), len(name), 0, 0, 0, 0, 0, at)
        return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, *sizes) + name

    directory = central(b"a.txt", inner, 0) + central(b"b.txt", body, len(outer))
    return local + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), len(local), 0)


def test_a_zip_with_two_names_for_one_entry() -> None:
    data = zipped([("main.py", b"x")])
    with pytest.raises(BadArchive, match="is called"):
        check_archive(data.replace(b"main.py", b"evil.py", 1))


def test_encrypted_and_strangely_packed_zips() -> None:
    data = bytearray(zipped([("main.py", b"x")]))
    central = data.index(b"PK\x01\x02")
    locked = bytearray(data)
    locked[6] |= 1
    locked[central + 8] |= 1
    with pytest.raises(BadArchive, match="encrypted"):
        check_archive(bytes(locked))
    with pytest.raises(BadArchive, match="method 14"):
        check_archive(zipped([("main.py", b"x")], zipfile.ZIP_LZMA))


def test_something_before_or_after_the_archive() -> None:
    data = zipped([("main.py", b"x")])
    with pytest.raises(BadArchive):
        check_archive(data + b"more")
    with pytest.raises(BadArchive):
        check_archive(b"PK\x03\x04" + data)
    with pytest.raises(BadArchive):
        check_archive(tar_gz([file("main.py")]) + b"more")
    plain = gzip.decompress(tar_gz([file("main.py")]))
    with pytest.raises(BadArchive, match="after its end"):
        check_archive(gzip.compress(plain + b"more"))


@pytest.mark.parametrize("keep", [20, 200, -30])
def test_cut_off_archives(keep: int) -> None:
    for data in (tar_gz([file("main.py", bytes(range(256)) * 9)]), zipped([("main.py", bytes(range(256)) * 9)])):
        with pytest.raises(BadArchive):
            check_archive(data[:keep])


def test_numbers_that_run_backwards() -> None:
    """Python's own reader loops for ever on such a header (CVE-2025-8194)."""
    header = bytearray(file("main.py")[0].tobuf())
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(BadArchive, match="negative"):
        check_archive(gzip.compress(bytes(header) + bytes(1024)))
