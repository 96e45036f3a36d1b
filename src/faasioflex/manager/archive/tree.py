"""The tree that an archive means: files and links by path, contents in one temporary file, checked as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO

from faasioflex.manager.archive.limits import CHUNK_BYTES, MAX_ENTRIES, MIB, Budget
from faasioflex.manager.archive.links import check_links
from faasioflex.manager.archive.names import clean, refuse, same_to_the_eye
from faasioflex.model.errors import BadArchive, PayloadTooLarge

MAX_FOLDERS = 2 * MAX_ENTRIES
IN_MEMORY_BYTES = 8 * MIB  # contents beyond that go to disk


@dataclass(frozen=True)
class File:
    """A regular file; its contents stand at ``offset`` of the tree's temporary file."""

    offset: int
    size: int
    executable: bool


@dataclass(frozen=True)
class Link:
    """A symbolic link that stays inside the tree."""

    target: str


Node = File | Link


class Tree:
    """Built entry by entry, then :meth:`finish`. A context manager: its temporary file is gone afterwards.

    Folders are not kept, they follow from the files: the same files give the same tree, however they were packed.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.nodes: dict[str, Node] = {}
        self._folders: set[str] = set()
        self._seen: dict[str, str] = {}
        self._contents: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._contents.close()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(node.size for node in self.nodes.values() if isinstance(node, File))

    def add_file(self, name: str, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        """Take a file's contents, counting. Raises: BadArchive, PayloadTooLarge."""
        path = self._claim(name)
        start = self._contents.tell()
        size = 0
        for chunk in chunks:
            self.budget.take(len(chunk))
            self._contents.write(chunk)
            size += len(chunk)
        self.nodes[path] = File(start, size, executable)

    def add_folder(self, name: str) -> None:
        """A folder may be named more than once; a file of that name is an error."""
        self.budget.entry()
        path = clean(name)
        if path in self.nodes:
            raise refuse(name, "is a file and a folder at once")
        if path:
            self._make_folders(path + "/", name)

    def add_link(self, name: str, target: str) -> None:
        """A symbolic link; where it leads is checked by :meth:`finish`, when everything is known."""
        self.nodes[self._claim(name)] = Link(target)

    def add_copy(self, name: str, of: str) -> None:
        """A hard link: a copy of a file that came earlier in the archive."""
        original = self.nodes.get(clean(of))
        if not isinstance(original, File):
            raise refuse(name, "is a hard link to something that is not an earlier file of the archive")
        path = self._claim(name)
        self.budget.take(original.size)
        self.nodes[path] = original

    def finish(self) -> None:
        """Check what only the whole tree can tell. Raises: BadArchive."""
        if not any(isinstance(node, File) for node in self.nodes.values()):
            raise BadArchive("The archive has no files")
        check_links({path: node.target for path, node in self.nodes.items() if isinstance(node, Link)}, self._folders)

    def read(self, file: File) -> Iterator[bytes]:
        """A file's contents in pieces. One reader at a time."""
        self._contents.seek(file.offset)
        left = file.size
        while left:
            chunk = self._contents.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise BadArchive("The archive's contents ended early")
            left -= len(chunk)
            yield chunk

    def _claim(self, name: str) -> str:
        self.budget.entry()
        path = clean(name)
        if not path or name.endswith(("/", "/.")):
            raise refuse(name, "is not a folder but has a folder's name")
        if path in self._folders:
            raise refuse(name, "is a file and a folder at once")
        other = self._seen.setdefault(same_to_the_eye(path), path)
        if path in self.nodes or other != path:
            raise refuse(name, "is in the archive twice")
        self._make_folders(path, name)
        return path

    def _make_folders(self, path: str, name: str) -> None:
        end = path.rfind("/")
        while end > 0:
            folder = path[:end]
            if folder in self.nodes:
                raise refuse(name, "lies in a folder that the archive also has as a file or link")
            if folder in self._folders:
                return
            if self._seen.setdefault(same_to_the_eye(folder), folder) != folder:
                raise refuse(name, "lies in a folder whose name is in the archive twice")
            self._folders.add(folder)
            if len(self._folders) > MAX_FOLDERS:
                raise PayloadTooLarge(f"The archive has more than {MAX_FOLDERS} folders")
            end = path.rfind("/", 0, end)
