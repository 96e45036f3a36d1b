"""Reading what node code asks for: names from the npm registry, nothing else. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from faasioflex.model.errors import BuildFailed

MOST = 500
LONGEST_BYTES = 256 * 1024
LONGEST_SPEC = 500
_NAME = re.compile(r"(?:@[A-Za-z0-9~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*")
_RUN = ("dependencies", "optionalDependencies", "peerDependencies")
_KEPT = ("name", "version", *_RUN, "peerDependenciesMeta", "overrides")
_ARCHIVES = (".tgz", ".tar.gz", ".tar")
_DEEPEST = 20
Json = dict[str, Any]


def read_json(text: str, file: str) -> Json:
    """Raises: BuildFailed, where it is no JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BuildFailed(f"{file} cannot be read: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise BuildFailed(f"{file} has to be a JSON object")
    return found


def read_manifest(text: str, *, locked: bool) -> Json | None:
    """The part of a package.json that decides what is installed; None where it asks for nothing.

    What only development needs is left out, except beside a lock file: npm compares the two. Raises: BuildFailed.
    """
    content = read_json(text, "package.json")
    if content.get("workspaces"):
        raise BuildFailed("package.json: workspaces are not taken; deploy one package with what it needs")
    wanted = 0
    for table in _RUN:
        wanted += len(_checked(content, table))
    if wanted == 0:
        return None
    if wanted > MOST:
        raise BuildFailed(f"package.json: {wanted} dependencies are too many: at most {MOST}")
    _check_overrides(content.get("overrides", {}))
    kept = {name: content[name] for name in _KEPT if name in content}
    if locked and isinstance(content.get("devDependencies"), dict):
        kept["devDependencies"] = content["devDependencies"]
    return {"private": True, **kept}


def check_name(name: str, where: str) -> None:
    """Raises: BuildFailed."""
    if len(name) > 214 or not _NAME.fullmatch(name):
        raise BuildFailed(f"{where}: {name[:200]!r} is not the name of a package")


def check_spec(name: str, spec: object, where: str) -> None:
    """A version, a range, a tag, or ``npm:other@range``: anything that the registry answers. Raises: BuildFailed."""
    if not isinstance(spec, str) or len(spec) > LONGEST_SPEC:
        raise BuildFailed(f"{where}: the version of {name} has to be a short text")
    bare = spec.strip()
    if bare.startswith("npm:"):
        other, _, bare = bare.removeprefix("npm:").rpartition("@")
        if not other:
            other, bare = bare, ""
        check_name(other, where)
    if re.search(r"[:/\\]", bare) or bare.startswith((".", "~/")) or bare.endswith(_ARCHIVES):
        raise BuildFailed(
            f"{where}: {name} comes from {spec[:200]!r}; only packages of this machine's npm registry are taken, "
            "no git, file or URL dependencies"
        )


def _checked(content: Json, table: str) -> Json:
    listed = content.get(table) or {}
    if not isinstance(listed, dict):
        raise BuildFailed(f"package.json: {table} has to be an object of names and versions")
    for name, spec in listed.items():
        check_name(name, f"package.json: {table}")
        check_spec(name, spec, f"package.json: {table}")
    return listed


def _check_overrides(table: object, depth: int = 0) -> None:
    if not isinstance(table, dict) or depth > _DEEPEST:
        raise BuildFailed("package.json: overrides has to be an object of names and versions")
    for name, value in table.items():
        if isinstance(value, dict):
            _check_overrides(value, depth + 1)
        elif not (isinstance(value, str) and value.startswith("$")):
            check_spec(name, value, "package.json: overrides")
