"""Reading what a function's code asks for: names from the registry, nothing else. Pure."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import InvalidRequirement, Requirement

from faasioflex.model.errors import BuildFailed

MOST = 500
LONGEST_BYTES = 256 * 1024
_HASH = re.compile(r"\s--hash=(sha(?:256|384|512):[0-9a-f]+)")


def from_requirements_txt(text: str) -> list[str]:
    """Lines of a requirements.txt as clean requirements, hashes kept. Raises: BuildFailed with the line's number."""
    found: list[str] = []
    joined, began = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        began = began if joined else number
        joined += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        bare, joined = re.sub(r"(^|\s)#.*$", "", joined).strip(), ""
        if not bare:
            continue
        where = f"requirements.txt, line {began}"
        if bare.startswith("-"):
            raise BuildFailed(
                f"{where}: options are not taken ({bare.split()[0]}): packages come from this machine's registries"
            )
        hashes = _HASH.findall(bare)
        clean = _clean(_HASH.sub("", bare), where)
        found.append(" ".join([clean, *(f"--hash={one}" for one in hashes)]))
    return _few(found)


def from_pyproject(text: str) -> list[str]:
    """``[project] dependencies`` of a pyproject.toml. Raises: BuildFailed."""
    try:
        project = tomllib.loads(text).get("project") or {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BuildFailed(f"pyproject.toml cannot be read: {error}") from None
    if "dependencies" in (project.get("dynamic") or []):
        raise BuildFailed("pyproject.toml: dynamic dependencies are not taken; list them in [project] dependencies")
    listed = project.get("dependencies") or []
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise BuildFailed("pyproject.toml: [project] dependencies has to be a list of strings")
    return _few([_clean(one, "pyproject.toml, dependencies") for one in listed])


def _clean(text: str, where: str) -> str:
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise BuildFailed(f"{where}: {text.strip()!r} is not a package's name with a version: {reason}") from None
    if requirement.url:
        raise BuildFailed(
            f"{where}: {requirement.name} comes from a URL; only packages of this machine's registries are taken"
        )
    return str(requirement)


def _few(found: list[str]) -> list[str]:
    if len(found) > MOST:
        raise BuildFailed(f"{len(found)} dependencies are too many: at most {MOST}")
    return found
