"""A reader of tar archives (ustar, GNU long names, pax) that only goes forward and believes nothing unchecked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from faasioflex.manager.archive.names import decode, refuse
from faasioflex.manager.archive.pax import Extended, parse_pax
from faasioflex.manager.archive.tree import Tree
from faasioflex.model.errors import BadArchive

BLOCK = 512
MAX_EXTENSION_BYTES = 64 * 1024  # of a long name or a pax header
MAX_TRAILER_BLOCKS = 4096

_REFUSED = {b"3": "device", b"4": "device", b"6": "FIFO", b"S": "sparse file"}


class _Blocks:
    """Exact reads over an iterator of chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = memoryview(b"")

    def pieces(self, count: int) -> Iterator[bytes]:
        """``count`` bytes in pieces. Raises: BadArchive where they are not there."""
        while count:
            if self.at_end():
                raise BadArchive("The archive ends in the middle: it was cut off")
            piece = bytes(self._held[:count])
            self._held = self._held[count:]
            count -= len(piece)
            yield piece

    def read(self, count: int) -> bytes:
        return b"".join(self.pieces(count))

    def skip_padding(self, size: int) -> None:
        self.read(-size % BLOCK)

    def rest(self) -> Iterator[bytes]:
        yield bytes(self._held)
        yield from self._chunks

    def at_end(self) -> bool:
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return True
            self._held = memoryview(chunk)
        return False


def read_tar(chunks: Iterable[bytes], tree: Tree) -> None:
    """Put every entry into ``tree``. Raises: BadArchive, PayloadTooLarge."""
    blocks = _Blocks(chunks)
    extended = Extended()
    while not blocks.at_end():
        header = blocks.read(BLOCK)
        if not any(header):
            _check_trailer(blocks)
            return
        extended = _entry(header, blocks, tree, extended)


def _entry(header: bytes, blocks: _Blocks, tree: Tree, extended: Extended) -> Extended:
    """Read one entry; the result is what it says about the next one."""
    _check_sum(header)
    kind = header[156:157]
    size = _number(header[124:136])
    if kind in b"xgLK":
        tree.budget.entry()
        if size > MAX_EXTENSION_BYTES:
            raise BadArchive(f"The archive has a header of more than {MAX_EXTENSION_BYTES // 1024} KiB")
        data = blocks.read(size)
        blocks.skip_padding(size)
        return _extension(kind, data, extended)
    name = decode(extended.path if extended.path is not None else _name(header))
    target = decode(extended.link if extended.link is not None else _text(header[157:257]))
    size = extended.size if extended.size is not None else size
    if kind in _REFUSED:
        raise refuse(name, f"is a {_REFUSED[kind]}: only files, folders and links are taken")
    if kind in (b"0", b"\0", b"7") and not name.endswith("/"):
        executable = bool(_number(header[100:108]) & 0o100)
        tree.add_file(name, blocks.pieces(size), executable=executable)
        blocks.skip_padding(size)
        return Extended()
    if kind in (b"5", b"0", b"\0"):
        tree.add_folder(name)
    elif kind == b"2":
        tree.add_link(name, target)
    elif kind == b"1":
        tree.add_copy(name, target)
    else:
        raise refuse(name, f"is of a kind ({shown_kind(kind)}) that is not taken: only files, folders and links are")
    if size and kind != b"5":
        raise refuse(name, "is not a file but has contents")
    return Extended()


def shown_kind(kind: bytes) -> str:
    """A type flag in a message."""
    return ascii(kind.decode("latin-1"))


def _extension(kind: bytes, data: bytes, extended: Extended) -> Extended:
    if kind == b"L":
        return Extended(data.rstrip(b"\0"), extended.link, extended.size)
    if kind == b"K":
        return Extended(extended.path, data.rstrip(b"\0"), extended.size)
    if kind == b"g":
        if parse_pax(data) != Extended():
            raise BadArchive("The archive has a global header that renames its entries")
        return extended
    return parse_pax(data, extended)


def _name(header: bytes) -> bytes:
    name = _text(header[0:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU's base 256
        number = int.from_bytes(field[1:], "big")
    elif field[0] & 0x80:
        raise BadArchive("The archive has a header with a negative number")
    else:
        text = field.strip(b" \0")
        if text.strip(b"01234567"):
            raise BadArchive("The archive has a header with a damaged number")
        number = int(text or b"0", 8)
    return number


def _check_sum(header: bytes) -> None:
    expected = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    if _number(header[148:156]) != expected:
        raise BadArchive("The archive has a damaged header (its checksum is wrong)")


def _check_trailer(blocks: _Blocks) -> None:
    read = 0
    for chunk in blocks.rest():
        read += len(chunk)
        if read > MAX_TRAILER_BLOCKS * BLOCK or chunk.strip(b"\0"):
            raise BadArchive("The archive has bytes after its end")
