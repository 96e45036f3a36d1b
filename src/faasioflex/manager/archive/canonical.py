"""The form in which code is stored: one tar, sorted, without times, owners or folders, gzipped.

The sha256 of that tar (not of its compression, which may differ between versions of zlib) is the code's identity: the same
files give the same digest, whether they came as zip, tar.gz or JSON.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from dataclasses import dataclass

from faasioflex.manager.archive.tree import File, Link, Node, Tree
from faasioflex.model.function import CodeSource

_BLOCK = 512
_GZIP_WITHOUT_NAME_AND_TIME = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Code:
    """Checked code. ``packed`` is what the object store keeps under ``source.sha256``; ``source.size_bytes`` counts files' bytes."""

    source: CodeSource
    packed: bytes
    paths: tuple[str, ...]


def pack(tree: Tree) -> Code:
    """Write a finished tree."""
    digest = hashlib.sha256()
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WITHOUT_NAME_AND_TIME)
    out = io.BytesIO()

    def write(data: bytes) -> None:
        digest.update(data)
        out.write(packer.compress(data))

    paths = sorted(tree.nodes)
    for path in paths:
        node = tree.nodes[path]
        write(_header(path, node))
        if isinstance(node, File):
            for chunk in tree.read(node):
                write(chunk)
            write(bytes(-node.size % _BLOCK))
    write(bytes(2 * _BLOCK))
    out.write(packer.flush())
    return Code(CodeSource(digest.hexdigest(), tree.size_bytes), out.getvalue(), tuple(paths))


def _header(path: str, node: Node) -> bytes:
    info = tarfile.TarInfo(path)
    match node:
        case Link(target):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        case File(size=size, executable=executable):
            info.size, info.mode = size, 0o755 if executable else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
