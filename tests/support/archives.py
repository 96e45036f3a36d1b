"""Archives as users and attackers make them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable


def tar_gz(entries: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar.gz of exactly these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content) if content or info.isreg() else None)
    return gzip.compress(out.getvalue())


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A link, folder, device or FIFO."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def zipped(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in files:
            made.writestr(name, content)
    return out.getvalue()


def zip_info(name: str, unix_mode: int) -> zipfile.ZipInfo:
    """An entry with type and permissions as Unix tools write them."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = unix_mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
