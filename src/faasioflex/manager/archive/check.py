"""What users send, checked whole before any answer."""

from __future__ import annotations

from collections.abc import Mapping

from faasioflex.manager.archive.canonical import Code, pack
from faasioflex.manager.archive.inflate import gunzip
from faasioflex.manager.archive.limits import check_packed
from faasioflex.manager.archive.names import refuse
from faasioflex.manager.archive.tar import read_tar
from faasioflex.manager.archive.tree import Tree
from faasioflex.manager.archive.zip import read_zip
from faasioflex.model.errors import BadArchive

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def check_archive(data: bytes) -> Code:
    """Read a zip or tar.gz (told apart by its first bytes). Uses the CPU for seconds: call it in a thread.

    Raises: BadArchive with the entry's name, PayloadTooLarge where it is over a limit of ``limits``.
    """
    check_packed(len(data))
    with Tree() as tree:
        if data.startswith(_GZIP_MAGIC):
            read_tar(gunzip(data), tree)
        elif data.startswith(_ZIP_MAGICS):
            read_zip(data, tree)
        else:
            raise BadArchive("The archive is neither a zip nor a tar.gz")
        tree.finish()
        return pack(tree)


def check_files(files: Mapping[str, str]) -> Code:
    """The same for ``{"main.py": "…"}``."""
    with Tree() as tree:
        for name, text in files.items():
            try:
                content = text.encode()
            except UnicodeEncodeError:
                raise refuse(name, "has text that is not Unicode (a lone surrogate)") from None
            tree.add_file(name, (content,))
        tree.finish()
        return pack(tree)
