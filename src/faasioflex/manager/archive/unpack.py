"""Stored code into a folder, for the builder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from faasioflex.manager.archive.inflate import gunzip
from faasioflex.manager.archive.tar import read_tar
from faasioflex.manager.archive.tree import File, Link, Tree
from faasioflex.model.errors import BadArchive


def unpack(data: bytes, target: Path, *, sha256: str | None = None) -> None:
    """Write the tree of a stored ``Code.packed`` into ``target``, which is made and has to be empty.

    Everything is checked again as at the door, so that whoever writes to the object store gets no further than a user.
    Files are 0644 or 0755, folders 0755, links stay inside. ``sha256`` is the identity the data has to have. Uses the CPU
    and the disk: call it in a thread. Raises: BadArchive, PayloadTooLarge, OSError.
    """
    digest = hashlib.sha256()

    def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            digest.update(chunk)
            yield chunk

    with Tree() as tree:
        read_tar(counted(gunzip(data)), tree)
        tree.finish()
        if sha256 is not None and digest.hexdigest() != sha256:
            raise BadArchive(f"The stored code is damaged: it is not {sha256}")
        _write(tree, target)


def _write(tree: Tree, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise BadArchive("Code is unpacked into empty folders only")
    target.chmod(0o755)
    for path, node in tree.nodes.items():
        if isinstance(node, File):
            _write_file(tree, node, _inside(target, path))
    for path, node in tree.nodes.items():  # last, so that no file is ever written through a link
        if isinstance(node, Link):
            _inside(target, path).symlink_to(node.target)


def _inside(target: Path, path: str) -> Path:
    folder = target
    for part in path.split("/")[:-1]:
        folder = folder / part
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)  # whatever the umask
    return target / path


def _write_file(tree: Tree, file: File, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        for chunk in tree.read(file):
            out.write(chunk)
        os.fchmod(descriptor, 0o755 if file.executable else 0o644)
