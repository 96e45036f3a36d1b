"""Which names an entry may have."""

from __future__ import annotations

import unicodedata

from faasioflex.model.errors import BadArchive

MAX_PART_BYTES = 255  # what Linux file systems take
MAX_PATH_BYTES = 1024
MAX_DEPTH = 64


def shown(name: str) -> str:
    """A name as it may stand in a message: escaped and cut."""
    text = ascii(name)
    return text if len(text) <= 200 else text[:200] + "…'"


def refuse(name: str, why: str) -> BadArchive:
    """The error for one entry."""
    return BadArchive(f"Entry {shown(name)} {why}")


def decode(raw: bytes) -> str:
    """A name's bytes as text.

    Raises: BadArchive where they are not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(raw.decode("latin-1"), "has a name that is not UTF-8") from None


def clean(name: str) -> str:
    """The entry's path below the root of the code, ``a/b.py``; ``""`` is the root itself.

    ``./`` and doubled or trailing slashes are taken off. Raises: BadArchive for every name that could mean something
    else somewhere: absolute, with ``..``, backslash, control characters, too long or too deep.
    """
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise refuse(name, "has a name with a NUL or control character")
    if "\\" in name:
        raise refuse(name, "has a name with a backslash: make the archive with '/' between folders")
    if name.startswith("/"):
        raise refuse(name, "has an absolute name: make the archive from inside the function's folder")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise refuse(name, "has '..' in its name")
    if len(parts) > MAX_DEPTH:
        raise refuse(name, f"lies more than {MAX_DEPTH} folders deep")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise refuse(name, "has a name that is not UTF-8") from None
    if any(size > MAX_PART_BYTES for size in sizes):
        raise refuse(name, f"has a name of more than {MAX_PART_BYTES} bytes")
    if sum(sizes) + len(parts) > MAX_PATH_BYTES:
        raise refuse(name, f"has a path of more than {MAX_PATH_BYTES} bytes")
    return "/".join(parts)


def same_to_the_eye(path: str) -> str:
    """Two paths with the same result are one name written in two ways (composed and decomposed letters)."""
    return unicodedata.normalize("NFC", path)
