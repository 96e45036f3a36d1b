"""Pax extended headers: ``LENGTH KEY=VALUE\\n`` records. Only what renames or resizes an entry matters here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from faasioflex.model.errors import BadArchive


@dataclass(frozen=True)
class Extended:
    """What extension headers say about the entry that follows them; None where they are silent."""

    path: bytes | None = None
    link: bytes | None = None
    size: int | None = None


def parse_pax(data: bytes, before: Extended = Extended()) -> Extended:
    """Read the records of one header on top of ``before``. Raises: BadArchive."""
    found = before
    at = 0
    while at < len(data) and data[at] != 0:
        space = data.find(b" ", at, at + 12)
        digits = data[at:space] if space > at else b""
        if not digits.isdigit():
            raise BadArchive("The archive has a damaged pax header")
        end = at + int(digits)
        record = data[space + 1 : end]
        if end <= space or end > len(data) or not record.endswith(b"\n") or b"=" not in record:
            raise BadArchive("The archive has a damaged pax header")
        key, _, value = record[:-1].partition(b"=")
        found = _with(found, key, value)
        at = end
    return found


def _with(found: Extended, key: bytes, value: bytes) -> Extended:
    if key == b"path":
        return replace(found, path=value)
    if key == b"linkpath":
        return replace(found, link=value)
    if key == b"size":
        if not value.isdigit() or len(value) > 15:
            raise BadArchive("The archive has a pax header with a damaged size")
        return replace(found, size=int(value))
    if key.startswith(b"GNU.sparse"):
        raise BadArchive("The archive has sparse files: make it without them")
    if key == b"hdrcharset" and value != b"ISO-IR 10646 2000 UTF-8":
        raise BadArchive("The archive has names that are not UTF-8")
    return found
