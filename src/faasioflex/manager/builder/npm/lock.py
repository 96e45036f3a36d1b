"""Reading a package-lock.json: versions and hashes are kept, addresses are not. Pure.

npm fetches what a lock calls ``resolved``, whatever that is. Here every package comes from the registry that this machine is
set to use, and its ``integrity`` says whether it is the one that was locked.
"""

from __future__ import annotations

import copy
import re

from faasioflex.manager.builder.npm.manifest import Json, check_name, check_spec, read_json
from faasioflex.model.errors import BuildFailed

FILES = ("npm-shrinkwrap.json", "package-lock.json")  # in npm's order
MOST = 5_000
LONGEST_BYTES = 8 * 1024 * 1024
_DEEPEST = 50
_PLACE = re.compile(r"(?:^|/)node_modules/((?:@[^/]+/)?[^/]+)(?=/node_modules/|$)")
_OF_A_REGISTRY = re.compile(r"https?://[^/]+/(?:.*/)?-/[^/]+\.tgz(?:[?#].*)?")


def read_lock(text: str, file: str) -> Json:
    """The lock without addresses. Raises: BuildFailed where a package comes from elsewhere than a registry."""
    lock = copy.deepcopy(read_json(text, file))
    packages, tree = lock.get("packages"), lock.get("dependencies")
    if isinstance(packages, dict):
        lock.pop("dependencies", None)  # the same once more, for npm 6
        _few(len(packages), file)
        for place, entry in packages.items():
            _entry_of(place, entry, file)
    elif isinstance(tree, dict):
        _few(_clean_tree(tree, file, 0), file)
    else:
        raise BuildFailed(f"{file} lists no packages: make it again with npm install")
    return lock


def _entry_of(place: str, entry: object, file: str) -> None:
    if not isinstance(entry, dict):
        raise BuildFailed(f"{file}: {place[:200]!r} has to be an object")
    if place == "":
        if entry.get("workspaces"):
            raise BuildFailed(f"{file}: workspaces are not taken; deploy one package with what it needs")
        return
    names = _PLACE.findall(place)
    if entry.get("link") or "/".join(f"node_modules/{name}" for name in names) != place:
        raise BuildFailed(f"{file}: {place[:200]} is a folder of its own; only packages of the npm registry are taken")
    for name in names:
        check_name(name, file)
    if not entry.get("dev"):  # those are not installed
        _clean(names[-1], entry, file)


def _clean_tree(tree: Json, file: str, depth: int) -> int:
    """Of npm 6: packages within packages. How many."""
    if depth > _DEEPEST:
        raise BuildFailed(f"{file} is nested too deeply")
    found = 0
    for name, entry in tree.items():
        if not isinstance(entry, dict):
            raise BuildFailed(f"{file}: {name[:200]!r} has to be an object")
        check_name(name, file)
        if not entry.get("dev"):
            _clean(name, entry, file)
        below = entry.get("dependencies")
        found += 1 + (_clean_tree(below, file, depth + 1) if isinstance(below, dict) else 0)
    return found


def _clean(name: str, entry: Json, file: str) -> None:
    check_spec(name, entry.get("version", ""), file)
    if isinstance(entry.get("name"), str):
        check_name(entry["name"], file)
    resolved = entry.pop("resolved", None)
    if resolved is None or resolved is False:
        return
    if not isinstance(resolved, str) or not _OF_A_REGISTRY.fullmatch(resolved):
        raise BuildFailed(
            f"{file}: {name} comes from {str(resolved)[:200]!r}; only packages of this machine's npm registry are taken, "
            "no git, file or URL dependencies"
        )


def _few(number: int, file: str) -> None:
    if number > MOST:
        raise BuildFailed(f"{file}: {number} packages are too many: at most {MOST}")
