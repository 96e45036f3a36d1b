"""A reader of zip archives: the central directory is the list, and every local entry has to agree with it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from faasioflex.manager.archive.inflate import inflate
from faasioflex.manager.archive.limits import CHUNK_BYTES, MAX_ENTRIES
from faasioflex.manager.archive.names import refuse
from faasioflex.manager.archive.tree import Tree
from faasioflex.manager.archive.zip_directory import ZipEntry, read_directory
from faasioflex.model.errors import BadArchive, PayloadTooLarge

_FOLDER, _LINK, _FILE = 0o040000, 0o120000, 0o100000
_STORED, _DEFLATED = 0, 8
MAX_TARGET_BYTES = 4096


def read_zip(data: bytes, tree: Tree) -> None:
    """Put every entry into ``tree``. Raises: BadArchive, PayloadTooLarge."""
    entries = read_directory(data, MAX_ENTRIES)
    if entries is None:
        raise PayloadTooLarge(
            f"The archive has more than {MAX_ENTRIES} entries: leave out what the function does not need"
        )
    _check_overlap(entries)
    view = memoryview(data)
    for entry in entries:
        _add(entry, view, tree)


def _add(entry: ZipEntry, view: memoryview, tree: Tree) -> None:
    kind = entry.mode & 0o170000
    if entry.encrypted:
        raise refuse(entry.name, "is encrypted")
    if entry.method not in (_STORED, _DEFLATED):
        raise refuse(entry.name, f"is packed with method {entry.method}: only stored and deflated are taken")
    if kind == _LINK:
        target = b"".join(_limited(entry, view))
        try:
            tree.add_link(entry.name, target.decode())
        except UnicodeDecodeError:
            raise refuse(entry.name, "is a link with an absolute or unreadable target") from None
    elif kind == _FOLDER or entry.name.endswith("/"):
        if entry.unpacked_bytes:
            raise refuse(entry.name, "is not a file but has contents")
        tree.add_folder(entry.name)
    elif kind in (0, _FILE):
        tree.add_file(entry.name, _contents(entry, view), executable=bool(entry.mode & 0o100))
    else:
        raise refuse(entry.name, "is a device, FIFO or socket: only files, folders and links are taken")


def _limited(entry: ZipEntry, view: memoryview) -> Iterator[bytes]:
    if entry.unpacked_bytes > MAX_TARGET_BYTES:
        raise refuse(entry.name, "is a link with an absolute or unreadable target")
    return _contents(entry, view)


def _contents(entry: ZipEntry, view: memoryview) -> Iterator[bytes]:
    """The entry's bytes, never more than it claims to have; size and checksum have to be true."""
    packed = view[entry.data_start : entry.data_end]
    count = checksum = 0
    for chunk in inflate(packed) if entry.method == _DEFLATED else _stored(packed):
        count += len(chunk)
        if count > entry.unpacked_bytes:
            raise refuse(entry.name, "holds more bytes than the archive says")
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if count != entry.unpacked_bytes:
        raise refuse(entry.name, "holds fewer bytes than the archive says")
    if checksum != entry.crc32:
        raise refuse(entry.name, "is damaged (its checksum is wrong)")


def _stored(packed: memoryview) -> Iterator[bytes]:
    for start in range(0, len(packed), CHUNK_BYTES):
        yield packed[start : start + CHUNK_BYTES].tobytes()


def _check_overlap(entries: list[ZipEntry]) -> None:
    """A zip bomb without nesting lets thousands of entries share one block of data."""
    end = 0
    for entry in sorted(entries, key=lambda one: one.start):
        if entry.start < end:
            raise refuse(entry.name, "overlaps another entry")
        end = entry.data_end
    if not entries:
        raise BadArchive("The archive has no files")
