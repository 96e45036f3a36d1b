"""The central directory of a zip archive (PKWARE's APPNOTE 4.3), read from its end, each entry found at its place."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from faasioflex.manager.archive.names import refuse, shown
from faasioflex.model.errors import BadArchive

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX32 = 0xFFFFFFFF
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_UNIX = 3


@dataclass(frozen=True)
class ZipEntry:
    """``start``: of its local header; ``data_start`` to ``data_end``: its packed bytes, inside the archive."""

    name: str
    mode: int  # of Unix, type bits included; 0 where the archive was made elsewhere
    method: int
    encrypted: bool
    crc32: int
    unpacked_bytes: int
    start: int
    data_start: int
    data_end: int


def read_directory(data: bytes, max_entries: int) -> list[ZipEntry] | None:
    """All entries in the directory's order; None where there are more than ``max_entries``. Raises: BadArchive."""
    at, end = _bounds(data)
    entries: list[ZipEntry] = []
    directory_start = at
    while at < end:
        if len(entries) == max_entries:
            return None
        if end - at < _CENTRAL.size or data[at : at + 4] != b"PK\x01\x02":
            raise BadArchive("The archive's list of contents is damaged")
        entry, at = _central(data, at, end, directory_start)
        entries.append(entry)
    return entries


def _bounds(data: bytes) -> tuple[int, int]:
    """Where the directory begins and ends."""
    found = data.rfind(b"PK\x05\x06", max(0, len(data) - _END.size - 0xFFFF))
    if found < 0 or len(data) - found < _END.size:
        raise BadArchive("The archive ends in the middle: it was cut off")
    _, disk, first_disk, here, total, size, start, comment = _END.unpack_from(data, found)
    if found + _END.size + comment != len(data):
        raise BadArchive("The archive has bytes after its end")
    if disk or first_disk or here != total:
        raise BadArchive("The archive is one part of several")
    if _MAX32 in (size, start) or total == 0xFFFF:
        raise BadArchive("The archive is of the zip64 kind, which is for archives larger than are taken here")
    if start + size != found:
        raise BadArchive("The archive's list of contents is not where it says: something stands before or after it")
    return start, found


def _central(data: bytes, at: int, end: int, directory_start: int) -> tuple[ZipEntry, int]:
    (
        _,
        made_by,
        _,
        flags,
        method,
        _,
        _,
        crc32,
        packed,
        unpacked,
        name_size,
        extra_size,
        comment_size,
        _,
        _,
        attributes,
        start,
    ) = _CENTRAL.unpack_from(data, at)
    name_start = at + _CENTRAL.size
    after = name_start + name_size + extra_size + comment_size
    if after > end:
        raise BadArchive("The archive's list of contents is damaged")
    raw = data[name_start : name_start + name_size]
    name = _decode(raw, flags)
    if _MAX32 in (packed, unpacked, start):
        packed, unpacked, start = _zip64(
            data[name_start + name_size : after - comment_size], unpacked, packed, start, name
        )
    if start + _LOCAL.size > directory_start or data[start : start + 4] != b"PK\x03\x04":
        raise refuse(name, "is not where the archive says")
    local = _LOCAL.unpack_from(data, start)
    local_flags, local_method, local_name_size, local_extra_size = local[2], local[3], local[9], local[10]
    data_start = start + _LOCAL.size + local_name_size + local_extra_size
    local_name = data[start + _LOCAL.size : start + _LOCAL.size + local_name_size]
    if local_name != raw or local_method != method:
        raise refuse(name, f"is called {shown(_decode(local_name, local_flags))} or packed otherwise at its place")
    if data_start + packed > directory_start:
        raise refuse(name, "is not where the archive says")
    mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
    encrypted = bool((flags | local_flags) & _ENCRYPTED_FLAGS)
    return ZipEntry(name, mode, method, encrypted, crc32, unpacked, start, data_start, data_start + packed), after


def _zip64(extra: bytes, unpacked: int, packed: int, start: int, name: str) -> tuple[int, int, int]:
    """Packed size, unpacked size and place from the zip64 field; only those at their maximum stand in it, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        at += 4 + size
        if kind != 1:
            continue
        values = [int.from_bytes(field[i : i + 8], "little") for i in range(0, len(field) - 7, 8)]
        try:
            unpacked = values.pop(0) if unpacked == _MAX32 else unpacked
            packed = values.pop(0) if packed == _MAX32 else packed
            start = values.pop(0) if start == _MAX32 else start
        except IndexError:
            break
        return packed, unpacked, start
    raise refuse(name, "has a damaged zip64 field")


def _decode(raw: bytes, flags: int) -> str:
    """UTF-8 where it is said or where it fits (macOS does not say it), else the original code page."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF8_FLAG:
            raise refuse(raw.decode("latin-1"), "has a name that is not UTF-8") from None
        return raw.decode("cp437")
