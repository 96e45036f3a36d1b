"""Symbolic links: only those that stay inside the tree, followed as a kernel would follow them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import PurePosixPath

from faasioflex.manager.archive.names import MAX_PATH_BYTES, refuse

MAX_FOLLOWED = 40  # Linux' own limit


def check_links(links: Mapping[str, str], folders: Set[str]) -> None:
    """Raises: BadArchive for a link that is absolute, leads out, runs in circles or through a file.

    A link whose target is missing inside the tree is harmless and stays. ``..`` after a link is taken from where that link
    leads, not from the text: by the text alone ``y/d/../..`` can look inside and be outside.
    """
    for path, target in links.items():
        if (
            not target
            or target.startswith("/")
            or "\0" in target
            or "\\" in target
            or len(target.encode()) > MAX_PATH_BYTES
        ):
            raise refuse(path, "is a link with an absolute or unreadable target")
        _follow(path, links, folders)


def _follow(path: str, links: Mapping[str, str], folders: Set[str]) -> None:
    place: list[str] = path.split("/")[:-1]
    todo = _parts(links[path])
    followed = 1
    while todo:
        part = todo.pop()
        if part == "..":
            if not place:
                raise refuse(path, "is a link that leads out of the archive")
            place.pop()
            continue
        place.append(part)
        here = "/".join(place)
        if here in links:
            followed += 1
            if followed > MAX_FOLLOWED:
                raise refuse(path, "is a link that runs in circles")
            place.pop()
            todo.extend(_parts(links[here]))
        elif todo and here not in folders and ".." in todo:
            # beyond something that is no folder the kernel would stop; nothing sensible is meant by going up from it
            raise refuse(path, "is a link that leads through something that is not a folder")


def _parts(target: str) -> list[str]:
    """Components, the first one last, ready to be popped."""
    return [part for part in reversed(PurePosixPath(target).parts) if part not in {"", "."}]
